"""Unmodified npm `pusher-js` and `pusher` against a running server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.node import NodeClient, NodeFailed
from tests.live import Live

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]

Start = Callable[..., NodeClient]


def test_a_public_channel_receives_what_the_node_sdk_triggers(node_client: Start) -> None:
    client = node_client()
    client.connected()
    client.subscribed("news")
    answer = client.do("server", method="trigger", given=["news", "headline", {"text": "hi \u2028 \U0001f600"}])
    assert answer == {"status": 200, "body": {}}
    assert client.expect("event", channel="news", event="headline")["data"] == {"text": "hi \u2028 \U0001f600"}


def test_the_triggering_socket_is_left_out(node_client: Start) -> None:
    sender, other = node_client("ada"), node_client("bob")
    socket = sender.connected()
    other.connected()
    sender.subscribed("private-room")
    other.subscribed("private-room")
    sender.do("server", method="trigger", given=["private-room", "first", {}, {"socket_id": socket}])
    sender.do("server", method="trigger", given=["private-room", "second", {}])
    other.expect("event", event="first")
    other.expect("event", event="second")
    sender.expect("event", event="second")
    assert sender.seen("event", event="first") == []


def test_a_wrong_signature_reaches_the_page_and_the_connection_stays(node_client: Start) -> None:
    client = node_client(wrong=True)
    client.connected()
    client.do("subscribe", channel="private-vault")
    error = client.expect("event", channel="private-vault", event="pusher:subscription_error")["data"]
    assert (error["type"], error["status"]) == ("AuthError", 401)
    client.subscribed("news")


def test_presence_members_come_and_go_by_user(node_client: Start) -> None:
    ada, bob, bobs_other_tab = node_client("ada"), node_client("bob"), node_client("bob")
    for client in (ada, bob, bobs_other_tab):
        client.connected()
    assert ada.subscribed("presence-lobby")["count"] == 1
    assert bob.subscribed("presence-lobby")["members"] == {"ada": {"name": "ada"}, "bob": {"name": "bob"}}
    assert ada.expect("event", event="pusher:member_added")["data"] == {"id": "bob", "info": {"name": "bob"}}
    bobs_other_tab.subscribed("presence-lobby")
    bob.do("disconnect")
    bobs_other_tab.do("clientEvent", channel="presence-lobby", event="client-here", data={})
    assert ada.expect("sender", channel="presence-lobby")["user"] == "bob"
    assert ada.seen("event", event="pusher:member_removed") == []
    bobs_other_tab.do("unsubscribe", channel="presence-lobby")
    assert ada.expect("event", event="pusher:member_removed")["data"]["id"] == "bob"
    assert ada.do("members", channel="presence-lobby") == {"count": 1, "members": {"ada": {"name": "ada"}}}
    assert len(ada.seen("event", event="pusher:member_added")) == 0


def test_a_signed_in_user_gets_what_is_sent_to_the_user(node_client: Start) -> None:
    ada, bob = node_client("ada"), node_client("bob")
    for client in (ada, bob):
        client.connected()
        client.do("signin")
    ada.do("server", method="sendToUser", given=["bob", "notification", {"title": "for bob"}])
    assert bob.expect("user", event="notification")["data"] == {"title": "for bob"}
    assert ada.seen("user", event="notification") == []


def test_terminated_users_are_disconnected_everywhere(node_client: Start, live: Live) -> None:
    elsewhere = live.server("--server", "uvicorn")
    here, there, other = node_client("eve"), node_client("eve", server=elsewhere), node_client("ada")
    for client in (here, there, other):
        client.connected()
        client.do("signin")
    other.do("server", method="terminateUserConnections", given=["eve"])
    for client in (here, there):
        client.expect("state", state="disconnected")
    assert other.seen("state", state="disconnected") == []
    assert elsewhere.stop() == 0


def test_client_events_reach_the_others_only(node_client: Start) -> None:
    ada, bob = node_client("ada"), node_client("bob")
    for client in (ada, bob):
        client.connected()
        client.subscribed("private-chat")
    ada.do("clientEvent", channel="private-chat", event="client-typing", data={"on": True})
    assert bob.expect("event", event="client-typing")["data"] == {"on": True}
    bob.do("clientEvent", channel="private-chat", event="client-seen", data={})
    ada.expect("event", event="client-seen")
    assert ada.seen("event", event="client-typing") == []


def test_a_flood_of_client_events_is_cut_with_an_error(node_client: Start) -> None:
    client = node_client()
    client.connected()
    client.subscribed("private-chat")
    for number in range(15):
        client.do("clientEvent", channel="private-chat", event="client-n", data={"n": number})
    assert client.expect("error")["error"]["code"] == 4301
    client.subscribed("news")


def test_a_batch_arrives_whole_and_its_info_is_aligned(node_client: Start) -> None:
    client = node_client()
    client.connected()
    client.subscribed("presence-hall")
    batch = [
        {"channel": "presence-hall", "name": "one", "data": "1", "info": "user_count"},
        {"channel": "news", "name": "two", "data": "2"},
    ]
    answer = client.do("server", method="triggerBatch", given=[batch])
    assert answer["body"] == {"batch": [{"user_count": 1}, {}]}
    assert client.expect("event", event="one")["data"] == 1


def test_a_cache_channel_replays_its_last_event(node_client: Start) -> None:
    client = node_client()
    client.connected()
    client.do("subscribe", channel="cache-prices")
    client.expect("event", channel="cache-prices", event="pusher:cache_miss")
    client.do("server", method="trigger", given=["cache-prices", "price", {"eur": 7}])
    late = node_client()
    late.connected()
    late.subscribed("cache-prices")
    assert late.expect("event", event="price")["data"] == {"eur": 7}


@pytest.mark.parametrize("channel", ["private-encrypted-vault", "private-encrypted-cache-vault"])
def test_an_encrypted_event_is_read_by_its_subscribers_alone(node_client: Start, channel: str) -> None:
    client = node_client()
    client.connected()
    client.subscribed(channel)
    client.do("server", method="trigger", given=[channel, "secret", {"text": "é"}])
    assert client.expect("event", channel=channel, event="secret")["data"] == {"text": "é"}
    if "cache" in channel:
        late = node_client()
        late.connected()
        late.subscribed(channel)
        assert late.expect("event", event="secret")["data"] == {"text": "é"}
        asked = client.do("server", method="get", given=[{"path": f"/channels/{channel}", "params": {"info": "cache"}}])
        assert "ciphertext" in asked["body"]["cache"]["data"]


def test_the_node_sdk_asks_about_channels(node_client: Start) -> None:
    client = node_client("ada")
    client.connected()
    client.subscribed("presence-quiz")
    listed = client.do("server", method="get", given=[
        {"path": "/channels", "params": {"filter_by_prefix": "presence-quiz", "info": "user_count"}}
    ])  # fmt: skip
    assert listed["body"] == {"channels": {"presence-quiz": {"user_count": 1}}}
    users = client.do("server", method="get", given=[{"path": "/channels/presence-quiz/users"}])
    assert users["body"] == {"users": [{"id": "ada"}]}
    with pytest.raises(NodeFailed) as failed:
        client.do("server", method="get", given=[{"path": "/channels", "params": {"info": "user_count"}}])
    assert failed.value.report["status"] == 400


def test_pusher_js_comes_back_by_itself_when_its_server_drains(node_client: Start, live: Live) -> None:
    first = live.server("--drain", "0.2")
    client = node_client(server=first)
    client.connected()
    client.subscribed("news")
    assert first.stop() == 0
    client.expect("state", state="connecting")
    second = live.server("--port", str(first.port))
    client.expect("state", state="connected")
    client.expect("event", channel="news", event="pusher:subscription_succeeded")
    client.do("server", method="trigger", given=["news", "after", {}])
    client.expect("event", event="after")
    assert second.stop() == 0


def test_an_unknown_key_stays_away(node_client: Start) -> None:
    client = node_client()
    client.do("use", appId="1", key="nobody", secret="s", port=client.port, user="ada")
    client.do("connect")
    assert client.expect("error")["error"]["code"] == 4001


def test_a_batch_authorizer_asks_once_for_many_channels_and_one_refusal_costs_only_itself(node_client: Start) -> None:
    client = node_client(batch=True)
    client.connected()
    names = [f"private-{number}" for number in range(30)]
    client.do("subscribeAll", channels=[*names, "private-closed"])
    for name in names:
        client.expect("event", channel=name, event="pusher:subscription_succeeded")
    client.expect("event", channel="private-closed", event="pusher:subscription_error")
    asked = [report["channels"] for report in client.seen("asked")]
    assert asked == [[*names, "private-closed"]]


def test_pusher_js_reports_receipts_over_its_socket(node_client: Start) -> None:
    client = node_client()
    client.connected()
    receipt = {"token": "a" * 40, "kind": "received"}
    assert client.do("report", receipts=[receipt, receipt]) is True
    assert client.expect("noted")["count"] == 2
