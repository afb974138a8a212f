"""A Node process that runs driver.cjs: commands in, reports out."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

PATIENCE = 20.0


class NodeFailed(Exception):
    """The command threw in Node. `report`: message, and the HTTP status and body when there were any."""

    def __init__(self, report: dict[str, Any]) -> None:
        self.report = report
        super().__init__(report["message"])


class NodeClient:
    """port: of the server it was set up for."""

    def __init__(self, script: Path) -> None:
        self.port = 0
        self._process = subprocess.Popen(["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reports: queue.Queue[dict[str, Any]] = queue.Queue()
        self._kept: list[dict[str, Any]] = []
        self._number = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._reports.put(json.loads(line))

    def do(self, command: str, **arguments: Any) -> Any:
        """The command's value. Raises NodeFailed."""
        assert self._process.stdin is not None
        self._number += 1
        self._process.stdin.write(json.dumps({"id": self._number, "do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        report = self._next(lambda report: report.get("id") == self._number)
        if report["kind"] == "failed":
            raise NodeFailed(report)
        return report["value"]

    def expect(self, kind: str, **facts: Any) -> dict[str, Any]:
        """The next report of this kind with these facts; earlier ones of other kinds stay to be expected."""
        return self._next(
            lambda report: report["kind"] == kind and all(report.get(name) == fact for name, fact in facts.items())
        )

    def seen(self, kind: str, **facts: Any) -> list[dict[str, Any]]:
        """What came so far and nobody expected."""
        while not self._reports.empty():
            self._kept.append(self._reports.get())
        wanted = {"kind": kind, **facts}.items()
        return [report for report in self._kept if all(report.get(name) == fact for name, fact in wanted)]

    def _next(self, wanted: Any) -> dict[str, Any]:
        for report in self._kept:
            if wanted(report):
                self._kept.remove(report)
                return report
        while True:
            try:
                report = self._reports.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"nothing of the kind came; seen: {self._kept[-20:]}") from None
            if wanted(report):
                return report
            self._kept.append(report)

    def connected(self) -> str:
        """Connects; the socket id."""
        self.do("connect")
        return str(self.expect("state", state="connected")["socket"])

    def subscribed(self, channel: str) -> Any:
        """Subscribes and waits for the ack; its data."""
        self.do("subscribe", channel=channel)
        return self.expect("event", channel=channel, event="pusher:subscription_succeeded")["data"]

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(5)
        self._process.stdout.close()
