"""Unmodified PyPI `pusher` against a running server, each of its quirks included."""

from __future__ import annotations

import pytest
from pusher import Pusher
from pusher.errors import PusherBadAuth, PusherBadRequest, PusherBadStatus

from tests.live import LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]


@pytest.fixture
def pusher(gateway: LiveServer, live_tenant: LiveTenant) -> Pusher:
    return _pusher(gateway, live_tenant)


def _pusher(gateway: LiveServer, tenant: LiveTenant, **changes: str) -> Pusher:
    given = {"app_id": tenant.application_id, "key": tenant.key, "secret": tenant.secret, **changes}
    return Pusher(**given, host="127.0.0.1", port=gateway.port, ssl=False)


def test_it_triggers_on_up_to_100_channels(pusher: Pusher) -> None:
    assert pusher.trigger([f"room-{number}" for number in range(100)], "hello", {"text": "é"}) == {}


def test_it_triggers_a_batch(pusher: Pusher) -> None:
    assert pusher.trigger_batch([{"channel": "a", "name": "n", "data": {"x": 1}}]) == {}


def test_it_lists_and_describes_channels(pusher: Pusher) -> None:
    assert pusher.channels_info("nobody-", [])["channels"] == {}
    assert pusher.channel_info("nobody-is-here") == {"occupied": False}
    assert pusher.users_info("presence-empty") == {"users": []}


def test_several_attributes_go_unescaped_into_its_signature(pusher: Pusher) -> None:
    assert pusher.channel_info("presence-cache-empty", ["user_count", "cache"]) == {
        "occupied": False, "user_count": 0, "cache": None,
    }  # fmt: skip


def test_it_terminates_connections_on_its_own_short_path(pusher: Pusher) -> None:
    assert pusher.terminate_user_connections("ada") == {}


def test_it_is_told_of_a_wrong_secret(gateway: LiveServer, live_tenant: LiveTenant) -> None:
    with pytest.raises(PusherBadAuth, match="not_authentic"):
        _pusher(gateway, live_tenant, secret="not the secret").trigger("a", "b", "c")


def test_it_may_not_speak_for_another_tenants_application(
    gateway: LiveServer, live_tenant: LiveTenant, other_live_tenant: LiveTenant
) -> None:
    stranger = _pusher(gateway, other_live_tenant, app_id=live_tenant.application_id)
    with pytest.raises(PusherBadAuth, match="not an active key of this application"):
        stranger.trigger("a", "b", "c")
    with pytest.raises(PusherBadAuth):
        stranger.channels_info()


def test_it_is_told_of_too_much_data(pusher: Pusher) -> None:
    with pytest.raises(PusherBadStatus, match="event_too_large"):
        pusher.trigger("a", "b", "x" * 10_241)


def test_it_is_told_of_a_bad_question(pusher: Pusher) -> None:
    with pytest.raises(PusherBadRequest, match="user_count"):
        pusher.channels_info("news", ["user_count"])
