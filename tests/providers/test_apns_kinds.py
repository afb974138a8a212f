"""Push types: topic, priority and payload of each, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest

from apps.audience.addresses import APPLE_KINDS as REGISTERED
from apps.providers.apns.kinds import KINDS, OptionInvalid, check_options
from apps.providers.apns.requests import request_for
from apps.providers.base import APPLE_KINDS, Endpoint, Notification
from apps.providers.exchanges import Request
from tests.providers.factories import SENT_AT, make_push


def _request(kind: str = "token", notification: Notification | None = None, **changes: Any) -> Request:
    shown = notification or Notification("Hello", "You")
    endpoint = Endpoint("a1b2", kind)
    return request_for(
        make_push(1, endpoint, notification=shown, **changes), endpoint, origin="https://a", topic="com.example.shop",
        jwt="x", now=SENT_AT,
    )  # fmt: skip


def _head(request: Request) -> tuple[str, str, str]:
    names = ("apns-push-type", "apns-topic", "apns-priority")
    kind, topic, priority = (request.headers[name] for name in names)
    return kind, topic.removeprefix("com.example.shop"), priority


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("voip", ".voip"),
        ("pushtotalk", ".voip-ptt"),
        ("complication", ".complication"),
        ("location", ".location-query"),
        ("fileprovider", ".pushkit.fileprovider"),
        ("liveactivity", ".push-type.liveactivity"),
        ("widgets", ".push-type.widgets"),
        ("controls", ".push-type.controls"),
    ],
)
def test_a_token_of_one_type_is_pushed_to_under_its_own_topic(kind: str, suffix: str) -> None:
    assert _head(_request(kind)) == (kind, suffix, "10")
    assert _head(_request(kind, urgent=False)) == (kind, suffix, "5")


def test_the_ordinary_token_takes_alerts_and_background_pushes() -> None:
    assert _head(_request()) == ("alert", "", "10")
    assert _head(_request(urgent=False)) == ("alert", "", "5")
    silent = Notification("Hello", "", apns={"push_type": "background"})
    assert _head(_request(notification=silent)) == ("background", "", "5")
    assert _head(_request(notification=Notification("", ""))) == ("background", "", "5")


def test_a_mobile_device_server_sends_its_magic_and_nothing_else() -> None:
    request = _request("mdm", Notification("", "", data={"mdm": "MAGIC"}))
    assert (_head(request), orjson.loads(request.body)) == (("mdm", "", "10"), {"mdm": "MAGIC"})
    with pytest.raises(ValueError, match="PayloadEmpty"):
        _request("mdm")


def test_a_priority_is_taken_where_the_type_allows_it() -> None:
    asked = Notification("Hello", "", apns={"priority": 1})
    assert _head(_request(notification=asked))[2] == "1"
    assert _head(_request("voip", asked))[2] == "1"


def test_what_apple_alone_is_told_joins_our_words() -> None:
    aps = {"badge": 3, "thread-id": "orders", "alert": {"subtitle": "Order 7"}, "sound": "bell.caf"}
    read = orjson.loads(_request(notification=Notification("Hello", "You", apns={"aps": aps})).body)["aps"]
    words = {"title": "Hello", "body": "You", "subtitle": "Order 7"}
    assert read == {"alert": words, "sound": "bell.caf", "badge": 3, "thread-id": "orders"}


def test_a_live_activity_has_its_moment_and_the_apps_members() -> None:
    shown = Notification("", "", data={"order": 7}, apns={"aps": {"event": "update", "content-state": {"left": 4}}})
    read = orjson.loads(_request("liveactivity", shown).body)
    moment = int(SENT_AT.timestamp())
    assert read["aps"] == {"timestamp": moment, "event": "update", "content-state": {"left": 4}}
    assert (read["order"], "receipt" in read["pushsaas"]) == (7, True)


@pytest.mark.parametrize("kind", ["widgets", "controls"])
def test_a_widget_hears_that_its_content_changed(kind: str) -> None:
    assert orjson.loads(_request(kind).body)["aps"] == {"content-changed": True}


@pytest.mark.parametrize(("kind", "most"), [("voip", 5_120), ("token", 4_096)])
def test_a_payload_may_have_as_many_bytes_as_its_type_allows(kind: str, most: int) -> None:
    def size(padding: int) -> int:
        return len(_request(kind, Notification("Hello", "", data={"x": "y" * padding})).body)

    room = most - size(0)
    assert size(room) == most
    with pytest.raises(ValueError, match="PayloadTooLarge"):
        size(room + 1)


def test_now_or_never_is_told_with_every_type() -> None:
    assert {_request(kind, ttl=0).headers["apns-expiration"] for kind in KINDS if kind != "mdm"} == {"0"}
    lasting = str(int((SENT_AT + timedelta(hours=1)).timestamp()))
    assert _request("voip", ttl=3_600).headers["apns-expiration"] == lasting


def test_every_type_has_its_tokens() -> None:
    assert set(KINDS) - {"alert", "background"} == APPLE_KINDS == {str(kind) for kind in REGISTERED}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"liveactivity"}))
def test_every_type_can_be_asked_for(kind: str) -> None:
    check_options({"push_type": kind, "priority": 5, "aps": {}})


@pytest.mark.parametrize(
    ("options", "member"),
    [
        ([], "apns"),
        ({"topic": "com.other"}, "apns.topic"),
        ({"push_type": "postcard"}, "apns.push_type"),
        ({"push_type": ["alert"]}, "apns.push_type"),
        ({"push_type": "background", "priority": 10}, "apns.priority"),
        ({"push_type": "background", "priority": 1}, "apns.priority"),
        ({"priority": 7}, "apns.priority"),
        ({"priority": "10"}, "apns.priority"),
        ({"priority": True}, "apns.priority"),
        ({"aps": "x"}, "apns.aps"),
        ({"aps": {"interruption-level": "loud"}}, "apns.aps.interruption-level"),
        ({"aps": {"relevance-score": 1.5}}, "apns.aps.relevance-score"),
        ({"aps": {"badge": -1}}, "apns.aps.badge"),
        ({"aps": {"badge": "3"}}, "apns.aps.badge"),
        ({"aps": {"alert": "Hello"}}, "apns.aps.alert"),
        ({"aps": {"alert": {"title": "Other"}}}, "apns.aps.alert"),
        ({"push_type": "background", "aps": {"sound": "x"}}, "apns.aps"),
        ({"push_type": "liveactivity"}, "apns.aps.event"),
        ({"push_type": "liveactivity", "aps": {"event": "update"}}, "apns.aps.content-state"),
        ({"push_type": "liveactivity", "aps": {"event": "start", "content-state": {}}}, "apns.aps"),
    ],
)
def test_what_apple_would_refuse_is_refused_first(options: Any, member: str) -> None:
    with pytest.raises(OptionInvalid) as refused:
        check_options(options)
    assert refused.value.member == member


@pytest.mark.parametrize(
    "aps",
    [
        {"event": "end"},
        {"event": "update", "content-state": {}, "relevance-score": 75},
        {"event": "start", "content-state": {}, "attributes-type": "A", "attributes": {}, "alert": {"title": "Go"}},
    ],
)
def test_a_live_activity_that_apple_takes_is_taken(aps: Mapping[str, Any]) -> None:
    check_options({"push_type": "liveactivity", "aps": aps})
