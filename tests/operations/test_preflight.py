from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from apps.operations import preflight
from apps.operations.errors import StartRefused


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartRefused, match=f"port {port} on 127.0.0.1 is taken"):
            preflight.require_free_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(StartRefused, match="between 1 and 65535"):
        preflight.require_free_port("127.0.0.1", port)


def test_a_home_is_given_to_one_run_at_a_time(tmp_path: Path) -> None:
    first = preflight.lock_home(tmp_path / "home")
    with pytest.raises(StartRefused, match=f"already runs in .* \\(process {os.getpid()}\\)"):
        preflight.lock_home(tmp_path / "home")
    first.close()
    preflight.lock_home(tmp_path / "home").close()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(StartRefused, match="cannot write to"):
        preflight.lock_home(tmp_path / "home")
