"""Our JavaScript client, driven by Node's own test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

SDK = Path(settings.BASE_DIR) / "sdk" / "js" / "pushsaas.js"
RECEIPTS = SDK.with_name("receipts.js")


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("name", ["sdk.test.mjs", "sdk-receipts.test.mjs", "sdk-worker.test.mjs"])
def test_the_client_behaves(name: str) -> None:
    script = Path(__file__).with_name(name)
    run = subprocess.run(["node", "--test", script], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_client_stays_small() -> None:
    assert SDK.stat().st_size < 10_000
    assert RECEIPTS.stat().st_size < 5_000
    assert SDK.with_name("inbox.js").stat().st_size < 5_000
    assert SDK.with_name("pushsaas-sw.js").stat().st_size < 6_500
