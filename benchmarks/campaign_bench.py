"""A product with a generated audience, two Celery workers as `make run` starts them, and somebody who hears everything.

PostgreSQL with fsync. Every subscriber counts as connected: a sink hears all channels and throws everything away.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import redis
from liquid import Template

from tests.live import ROOT, Live, LiveServer, LiveTenant

_SECONDS = 2.0
TITLE = "Hi {{ subscriber.name }}"
BODY = (
    "{% if subscriber.pro %}Your plan in {{ subscriber.city }} renews{% else %}Upgrade{% endif %}: "
    "{{ subscriber.points | default: 0 }} points"
)


@dataclass(frozen=True, slots=True)
class Run:
    """people, seconds: of the campaign. megabytes: the largest any worker process ever was."""

    people: int
    seconds: float
    megabytes: float

    @property
    def rate(self) -> float:
        return self.people / self.seconds


@contextmanager
def product(people: int) -> Iterator[Bench]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    live = Live(home, durable=True)
    try:
        tenant = live.tenant("Bench")
        server = live.server()
        yield Bench(live, server, tenant, people)
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


class Bench:
    """admin: a connection that sees every row."""

    def __init__(self, live: Live, server: LiveServer, tenant: LiveTenant, people: int) -> None:
        self._live, self._server, self._tenant, self._people = live, server, tenant, people
        self.admin = psycopg.connect(host=str(live.home / "run"), user="postgres", dbname="pushsaas", autocommit=True)
        self.admin.execute(
            "INSERT INTO audience_subscriber (tenant_id, application_id, external_id, attributes, tags, language, "
            "timezone, created_at, updated_at) SELECT application.tenant_id, application.id, 'person-' || n, "
            "jsonb_build_object('name', 'Name ' || n, 'pro', n %% 2 = 0, 'city', 'Rome', 'points', n), '{}', 'en', "
            "'UTC', now(), now() FROM tenants_application application, generate_series(1, %s) AS n "
            "WHERE application.application_id = %s",
            [people, tenant.application_id],
        )
        self.admin.execute("VACUUM ANALYZE audience_subscriber")
        server.switch(tenant, max_publishes_per_second=100_000)  # the application's own limit is not what is measured
        self.call("GET", "usage")  # opens the period and its quotas
        self.admin.execute("UPDATE billing_quota SET hard_limit = NULL")
        _sink(live)

    def send(self) -> Run:
        """One campaign from draft to sent."""
        with self.workers() as group:
            campaign = self.start()
            while (body := self.call("GET", f"campaigns/{campaign}"))["status"] != "sent":
                if body["status"] == "failed":
                    raise RuntimeError(body)
                time.sleep(0.5)
            largest = max(_peak_megabytes(pid) for pid in _group(group))
        missed = self.call("GET", f"campaigns/{campaign}/deliveries?state=suppressed")["data"][:3]
        assert body["counts"]["accepted"] == self._people, (body["counts"], missed)
        started, ended = (datetime.fromisoformat(body[name]) for name in ("started_at", "finished_at"))
        return Run(self._people, (ended - started).total_seconds(), largest)

    def start(self) -> str:
        """The id of a campaign that is due now."""
        words = {"en": {"title": TITLE, "body": BODY}}
        plan = {"name": "Bench", "audience": {"all": True}, "routes": ["realtime"], "content": words}
        campaign: str = self.call("POST", "campaigns", plan)["id"]
        self.call("POST", f"campaigns/{campaign}/schedule", {"send_at": None})
        return campaign

    def inside(self, what: str) -> str:
        """What a worker process of the product prints (benchmarks/inside.py)."""
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.inside", what, self._tenant.application_id]
        environment = {**self._live.environment, "PUSHSAAS_ROLE": "worker", "PUSHSAAS_LOG_LEVEL": "WARNING"}
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def bare_publish(self) -> float:
        """PUBLISH in a loop, one round trip each: no ledger, no words, nothing kept. Per second."""
        client = redis.Redis.from_url(self._live.valkey_url)
        payload = "x" * 400
        return _rate(lambda number: client.publish(f"rt:{{1:#server-to-user-person-{number}}}", payload))

    def one_by_one(self) -> float:
        """The naive sender: for each recipient read, render, publish, and a committed row. Per second."""
        client = redis.Redis.from_url(self._live.valkey_url)
        title, body = Template(TITLE), Template(BODY)
        self.admin.execute("CREATE TABLE IF NOT EXISTS naive (external_id text PRIMARY KEY, sent_at timestamptz)")

        def send(number: int) -> None:
            name = f"person-{number + 1}"
            row = self.admin.execute(
                "SELECT attributes FROM audience_subscriber WHERE external_id = %s AND tenant_id = "
                "(SELECT tenant_id FROM tenants_application WHERE application_id = %s) AND application_id = "
                "(SELECT id FROM tenants_application WHERE application_id = %s)",
                [name, self._tenant.application_id, self._tenant.application_id],
            ).fetchone()
            assert row is not None
            shown = {"title": title.render(subscriber=row[0]), "body": body.render(subscriber=row[0])}
            client.publish(f"rt:{{1:#server-to-user-{name}}}", json.dumps(shown))
            self.admin.execute("INSERT INTO naive VALUES (%s, now())", [name])

        return _rate(send)

    @contextmanager
    def workers(self) -> Iterator[int]:
        command = [
            sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "pushsaas", "worker", "--concurrency", "2",
            "--without-gossip", "--without-mingle", "--beat", "--schedule", str(self._live.home / "beat"),
        ]  # fmt: skip
        environment = {**self._live.environment, "PUSHSAAS_ROLE": "worker", "C_FORCE_ROOT": "1"}
        with (self._live.home / "worker.log").open("ab") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self._server.url}/api/v1/{path}", json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {self._tenant.api_key}", "Content-Type": "application/json"}, method=method,
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def _rate(act: Any) -> float:
    started, number = time.perf_counter(), 0
    while time.perf_counter() - started < _SECONDS:
        act(number)
        number += 1
    return number / (time.perf_counter() - started)


def _sink(live: Live) -> None:
    """Hears every user's channel and looks at nothing, so that PUBLISH finds one receiver."""
    listening = socket.socket(socket.AF_UNIX)
    listening.connect(live.valkey_url.removeprefix("unix://"))
    listening.sendall(b"PSUBSCRIBE rt:*\r\n")
    listening.recv(100)

    def drain() -> None:
        while listening.recv(1 << 20):
            pass

    threading.Thread(target=drain, daemon=True).start()


def _group(leader: int) -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _leads(leader, path.name)]


def _leads(leader: int, pid: str) -> bool:
    try:
        return os.getpgid(int(pid)) == leader
    except ProcessLookupError:
        return False


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
