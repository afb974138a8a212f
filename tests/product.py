"""The whole product as `make run` starts it, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from tests.live import ROOT


class RunningProduct:
    """`manage.py run` in a home of its own; without stand-ins of the push networks unless a test asks for them."""

    def __init__(self, home: Path, port: int, **variables: str) -> None:
        self.home, self.port, self.url = home, port, f"http://127.0.0.1:{port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PUSHSAAS_")}
        environment |= {"PUSHSAAS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "pushsaas.settings"}
        environment |= {"PUSHSAAS_STAND_INS": "0", **variables}
        self.log = home.with_suffix(".log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--port", str(port)],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.status, answer.read().decode()

    def offspring(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, which: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(which)
        return self.process.wait(90)

    def demo(self) -> dict[str, str]:
        """What the greeting tells, as `demo.json` keeps it."""
        told: dict[str, str] = json.loads((self.home / "demo.json").read_text())
        return told
