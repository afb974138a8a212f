"""A throw-away authority for the counterparts, and connections that do not outlive a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from apps.providers.counterparts.authority import Authority
from apps.providers.http import close_connections
from tests.providers.tunnels import Tunnel


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("authority")))


@pytest.fixture
def trusted(authority: Authority) -> Iterator[Authority]:
    """The authority, trusted by the adapters during the test."""
    with override_settings(EGRESS_CA=str(authority.ca_file)):
        yield authority
        close_connections()


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    listener = socket.create_server(("127.0.0.1", 0))
    tunnel = Tunnel(listener)
    threading.Thread(target=tunnel.serve, daemon=True).start()
    yield tunnel
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
