"""wrk: one signed publication again and again, as fast as the server answers, on kept-alive connections."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks import publisher
from benchmarks.rulers import LOAD_CORE, ToolMissing, pinned
from tests.live import LiveTenant

CONNECTIONS = 32
_SCRIPT = """wrk.method = "POST"
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
"""


class Flood:
    """Begins at once and lasts so many seconds. Raises ToolMissing."""

    def __init__(self, port: int, tenant: LiveTenant, seconds: float) -> None:
        if shutil.which("wrk") is None:
            raise ToolMissing("wrk is needed to load an HTTP server")
        path = publisher.signed_path(tenant.application_id, tenant.key, tenant.secret)
        with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as script:
            script.write(_SCRIPT.format(body=publisher.BODY.decode()))
        self._script = script.name
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(seconds)}s", "-s", script.name]
        address = f"http://127.0.0.1:{port}{path}"
        self._process = subprocess.Popen(pinned(LOAD_CORE, *command, address), stdout=subprocess.PIPE, text=True)

    def answered(self) -> int:
        """Waits for the end; requests that were answered with 200. Raises RuntimeError when any was not."""
        said, _ = self._process.communicate()
        Path(self._script).unlink()
        found = re.search(r"(\d+) requests in", said)
        if found is None or "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(f"not every request was accepted: {said}")
        return int(found[1])
