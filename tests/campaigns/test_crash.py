"""Workers killed by SIGKILL in the middle of a campaign, with real processes: nobody is lost, nobody gets it twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
import requests

from apps.realtime import keys
from tests.live import ROOT, Live, LiveTenant

pytestmark = pytest.mark.e2e

PEOPLE = 6_000
KILLS = 3
CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": "{% if subscriber.pro %}Pro{% else %}Free{% endif %}"}}


@pytest.fixture
def product() -> Iterator[Live]:
    """Engines of this test's own, whose leases run out soon."""
    home = Path(tempfile.mkdtemp(prefix="pushsaas-crash-"))
    live = Live(home)
    live.environment["PUSHSAAS_SENDING_LEASE"] = "3"
    try:
        yield live
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


class Receiver(threading.Thread):
    """Everybody's phone at once: hears all users' own channels and counts what each was shown."""

    def __init__(self, live: Live, application_id: str) -> None:
        super().__init__(daemon=True)
        self.seen: Counter[str] = Counter()
        self._pubsub = redis.Redis.from_url(live.valkey_url).pubsub()
        pattern = keys.topic(application_id, "#server-to-user-*").replace("[", "\\[")
        self._pubsub.psubscribe(pattern)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                found = self._pubsub.get_message(timeout=0.2)
            except redis.ConnectionError:  # Valkey was killed; who starts it again listens anew
                return
            if found is not None and found["type"] == "pmessage":
                event = orjson.loads(found["data"].partition(b"\n")[2])
                self.seen[event["channel"].removeprefix("#server-to-user-")] += 1

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()
        self._pubsub.close()


class Workers:
    """Celery with its beat, as one process group that can be killed at once."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with (self._live.home / "worker.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "pushsaas", "worker", "--concurrency", "2",
                 "--without-gossip", "--without-mingle", "--beat", "--schedule", str(self._live.home / "beat")],
                cwd=ROOT, env={**self._live.environment, "PUSHSAAS_ROLE": "worker", "C_FORCE_ROOT": "1"},
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self.process

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Api:
    def __init__(self, url: str, tenant: LiveTenant) -> None:
        self._url, self._headers = f"{url}/api/v1", {"Authorization": f"Bearer {tenant.api_key}"}

    def get(self, path: str) -> Any:
        return self._done(requests.get(f"{self._url}/{path}", headers=self._headers, timeout=30))

    def post(self, path: str, body: Any) -> Any:
        return self._done(requests.post(f"{self._url}/{path}", json=body, headers=self._headers, timeout=30))

    def _done(self, answer: requests.Response) -> Any:
        if answer.status_code in (429, 503):  # 503: PostgreSQL was killed under it
            time.sleep(float(answer.headers.get("Retry-After", 0.5)))
            return self._done(requests.Session().send(answer.request))
        assert answer.ok, answer.text
        return answer.json()

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self.get(f"{path}?limit=200{cursor}")
            yield from page["data"]
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"


def wait_for(what: str, happened: Callable[[], bool], log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen\n{log.read_text(errors='replace')[-4000:]}"
        time.sleep(0.005)


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_killed_workers_lose_nobody_and_repeat_nobody_silently(product: Live, policy: str) -> None:
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    tenant = product.tenant()
    api = Api(product.server().url, tenant)
    for start in range(0, PEOPLE, 1_000):
        people = [{"external_id": f"p{n}", "attributes": {"name": f"N{n}"}} for n in range(start, start + 1_000)]
        api.post("subscribers/bulk", {"subscribers": people})
    campaign = api.post(
        "campaigns",
        {"name": "Crash", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT,
         "unknown_policy": policy},
    )["id"]  # fmt: skip
    receiver = Receiver(product, tenant.application_id)
    receiver.start()
    workers, log = Workers(product), product.home / "worker.log"
    try:
        api.post(f"campaigns/{campaign}/schedule", {"send_at": None})
        for number in range(KILLS):
            # A third of the people lies between two kills, so each one meets a campaign that is under way.
            threshold = chance.randrange(number * PEOPLE // KILLS, (number + 1) * PEOPLE // KILLS - 600) + 1
            wait_for(f"{threshold} people reached", lambda: receiver.seen.total() >= threshold, log)  # noqa: B023
            workers.kill()
            assert api.get(f"campaigns/{campaign}")["status"] == "sending", "the kill came too late"
            workers.start()
        wait_for("the end", lambda: api.get(f"campaigns/{campaign}")["status"] == "sent", log)
    finally:
        workers.kill()
        receiver.stop()
    rows = list(api.pages(f"campaigns/{campaign}/deliveries"))
    outcome = {row["external_id"]: row for row in rows}
    counts = api.get(f"campaigns/{campaign}")["counts"]
    states = Counter(row["state"] for row in rows)
    print(f"outcomes {dict(states)}, shown twice {sum(times > 1 for times in receiver.seen.values())}")
    assert len(rows) == len(outcome) == PEOPLE
    assert set(states) <= {"accepted", "unknown"}
    assert all(receiver.seen[name] >= 1 for name, row in outcome.items() if row["state"] == "accepted")
    twice = {name for name, times in receiver.seen.items() if times > 1}
    assert all(outcome[name]["attempts"] > 1 for name in twice)  # the ledger names every repeat
    if policy == "at_most_once":
        assert twice == set()
    assert counts["planned"] == counts["attempted"] == PEOPLE
    assert (counts["accepted"], counts["unknown"]) == (states["accepted"], states["unknown"])
    usage = api.get("usage?group_by=meter")["totals"]
    assert usage["campaign.sends"] == states["accepted"]
