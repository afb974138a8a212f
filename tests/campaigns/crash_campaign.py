"""`make chaos-campaign SEED= FAULTS= PEOPLE=`: everything a campaign stands on is killed while it runs.

Workers, beat, PostgreSQL (kill -9 each) and Valkey (kill -9, and empty afterwards), in an order that the seed decides.
Then every recipient must have exactly one outcome, nobody may have seen the message twice (at most once) or only those
whom the ledger names (at least once), and campaign, ledger and usage must agree.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.campaigns.test_crash import CONTENT, Api, Receiver, Workers
from tests.live import Live, LiveTenant

#: Seconds around a death of Valkey in which an accepted message may have died with it.
_SHADOW = 3.0
_PEOPLE = """
INSERT INTO audience_subscriber (tenant_id, application_id, external_id, attributes, tags, language, timezone,
    created_at, updated_at)
SELECT application.tenant_id, application.id, 'p' || n, jsonb_build_object('name', 'N' || n), '{}', 'en', 'UTC', now(),
    now()
FROM tenants_application application, generate_series(1, %s) AS n WHERE application.application_id = %s
"""
_ROWS = """
SELECT person.external_id, delivery.state, delivery.attempts, extract(epoch FROM delivery.attempted_at)
FROM messaging_delivery delivery JOIN audience_subscriber person ON person.id = delivery.subscriber_id
"""


@dataclass
class Report:
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    lost_with_valkey: int = 0
    broken: list[str] = field(default_factory=list)


class CrashCampaign:
    """policy: at_most_once or at_least_once."""

    def __init__(self, live: Live, policy: str, *, seed: int, people: int) -> None:
        self._live, self._policy, self._people = live, policy, people
        self._chance = random.Random(seed)
        self._tenant: LiveTenant = live.tenant()
        self._api = Api(live.server().url, self._tenant)
        self._receivers = [self._listen()]
        self._wiped_at: list[float] = []
        self.report = Report()

    def _listen(self) -> Receiver:
        receiver = Receiver(self._live, self._tenant.application_id)
        receiver.start()
        return receiver

    def run(self, faults: int) -> Report:
        with self._admin() as admin:
            admin.execute(_PEOPLE, [self._people, self._tenant.application_id])
            admin.execute("VACUUM ANALYZE audience_subscriber")
        self._api.get("usage")  # opens the period and its quotas
        with self._admin() as admin:
            admin.execute("UPDATE billing_quota SET hard_limit = NULL")
        campaign = self._api.post(
            "campaigns",
            {"name": "Crash", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT,
             "unknown_policy": self._policy},
        )["id"]  # fmt: skip
        workers = Workers(self._live)
        try:
            self._api.post(f"campaigns/{campaign}/schedule", {"send_at": None})
            for number in range(faults):
                self._wait_until(lambda: self._settled() >= number * self._people // faults)  # noqa: B023
                self._strike(workers)
            self._wait_until(lambda: self._status(campaign) == "sent")
        finally:
            workers.kill()
            for receiver in self._receivers:
                receiver.stop()
        self._judge(campaign)
        return self.report

    def _strike(self, workers: Workers) -> None:
        fault = self._chance.choices(("workers", "postgres", "valkey"), weights=(6, 2, 2))[0]
        self.report.faults[fault] += 1
        if fault == "workers":  # beat is in their process group
            workers.kill()
            workers.start()
        elif fault == "postgres":
            self._live.kill_postgres()
        else:
            self._wiped_at.append(time.time())
            self._live.restart_valkey_empty()
            self._receivers.append(self._listen())

    def _wait_until(self, happened: object, seconds: float = 300) -> None:
        assert callable(happened)
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                log = (self._live.home / "worker.log").read_text(errors="replace")[-4_000:]
                raise TimeoutError(f"nothing moved: {self.report.faults}\n{log}")
            time.sleep(0.05)

    def _settled(self) -> int:
        with self._admin() as admin:
            row = admin.execute("SELECT coalesce(sum(accepted + failed + unknown), 0) FROM messaging_chunk").fetchone()
        assert row is not None
        return int(row[0])

    def _status(self, campaign: str) -> str:
        with self._admin() as admin:
            row = admin.execute("SELECT status FROM campaigns_campaign").fetchone()
        assert row is not None, campaign
        return str(row[0])

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self._live.home / "run"), user="postgres", dbname="pushsaas", autocommit=True)

    def _judge(self, campaign: str) -> None:
        seen: Counter[str] = sum((receiver.seen for receiver in self._receivers), Counter())
        with self._admin() as admin:
            rows = admin.execute(_ROWS).fetchall()
        states = self.report.states = Counter(str(state) for _name, state, _attempts, _at in rows)
        names = {str(name) for name, _state, _attempts, _at in rows}
        self._expect(len(rows) == len(names) == self._people, f"{len(rows)} rows of {len(names)} people")
        self._expect(set(states) <= {"accepted", "unknown", "rejected"}, f"outcomes {dict(states)}")
        unseen = [float(at) for name, state, _n, at in rows if state == "accepted" and not seen[str(name)]]  # type: ignore[arg-type]
        shadowed = [at for at in unseen if any(abs(at - died) < _SHADOW for died in self._wiped_at)]
        self.report.lost_with_valkey = len(shadowed)
        self._expect(len(unseen) == len(shadowed), f"{len(unseen) - len(shadowed)} accepted and never seen")
        refused_but_seen = [name for name, state, _n, _at in rows if state == "rejected" and seen[str(name)]]
        self._expect(not refused_but_seen, f"{len(refused_but_seen)} seen although nobody was there")
        twice = {name for name, times in seen.items() if times > 1}
        self.report.twice = len(twice)
        named = {str(name) for name, _state, attempts, _at in rows if int(attempts) > 1}  # type: ignore[call-overload]
        self._expect(twice <= (named if self._policy == "at_least_once" else set()), f"{len(twice)} saw it twice")
        self._agree(campaign, states)

    def _agree(self, campaign: str, states: Counter[str]) -> None:
        counts = self._api.get(f"campaigns/{campaign}")["counts"]
        told = (counts["planned"], counts["accepted"], counts["failed"], counts["unknown"])
        held = (self._people, states["accepted"], states["rejected"], states["unknown"])
        self._expect(told == held, f"the campaign says {told}, its ledger {held}")
        sends = self._api.get("usage?group_by=meter")["totals"]["campaign.sends"]
        self._expect(sends == states["accepted"], f"{sends} billed, {states['accepted']} accepted")

    def _expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.report.broken.append(sentence)


def main() -> int:
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    faults, people = int(os.environ.get("FAULTS") or 50), int(os.environ.get("PEOPLE") or 200_000)
    broken: list[str] = []
    for policy in ("at_most_once", "at_least_once"):
        print(f"SEED={seed} FAULTS={faults} PEOPLE={people} {policy}", flush=True)
        home = Path(tempfile.mkdtemp(prefix="pushsaas-crash-"))
        live = Live(home, durable=True)
        live.environment["PUSHSAAS_SENDING_LEASE"] = "3"
        try:
            report = CrashCampaign(live, policy, seed=seed, people=people).run(faults)
        finally:
            live.stop()
            shutil.rmtree(home, ignore_errors=True)
        print(f"faults   {dict(report.faults)}")
        print(f"outcomes {dict(report.states)}, seen twice {report.twice}, died with Valkey {report.lost_with_valkey}")
        print(f"broken   {report.broken or 'nothing'}", flush=True)
        broken += report.broken
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
