"""What arrives at each vendor: classes, places a tap leads to, lifetimes, names that tell a repeat, receipts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.providers.base import Notification, Result, Scope
from apps.providers.counterparts.vendors.oppo import OppoService
from apps.providers.counterparts.vendors.vivo import VivoService
from apps.providers.errors import CredentialInvalid
from apps.providers.vendors.content import Tap, columns_of, is_marketing, number_of, tap_of
from tests.providers.factories import make_push
from tests.providers.vendors.conftest import ACCEPTED, Bench, words
from tests.providers.vendors.phones import ACCOUNT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]
HOME, TOKEN = "https://push.example", "t" * 40
INTENT = "intent://cart/7#Intent;scheme=shop;launchFlags=0x4000000;end"


@pytest.fixture(autouse=True)
def public_address(settings: Settings) -> None:
    settings.PUBLIC_URL = HOME


def named(name: str) -> Any:
    return pytest.mark.parametrize("bench", [name], indirect=True)


def _sent(bench: Bench, *, purpose: str = "", url: str = "", values: dict[str, str] | None = None, **push: Any) -> Any:
    shown = Notification("Hello", "there", url=url, purpose=purpose)
    outcomes = bench.provider(**(values or {})).send([bench.push(1, notification=shown, **push)])
    assert words(outcomes) == [ACCEPTED]
    return bench.service.shown[-1].whole


@pytest.mark.parametrize(
    ("purpose", "campaign", "expected"),
    [("", "cmp_1", True), ("", "", False), ("service", "cmp_1", False), ("marketing", "", True)],
)
def test_what_counts_as_marketing(purpose: str, campaign: str, expected: bool) -> None:
    push = make_push(campaign_id=campaign, notification=Notification("x", "y", purpose=purpose))
    assert is_marketing(push) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", (Tap.APP, "")),
        ("https://shop.example/a", (Tap.WEB, "https://shop.example/a")),
        ("shop://cart/7", (Tap.PAGE, INTENT)),
        ("intent://x#Intent;end", (Tap.PAGE, "intent://x#Intent;end")),
        ("tel:110", (Tap.PAGE, "intent:110#Intent;scheme=tel;launchFlags=0x4000000;end")),
    ],
)
def test_where_a_tap_leads(url: str, expected: tuple[Tap, str]) -> None:
    assert tap_of(url) == expected


def test_a_number_that_replaces_is_the_collapse_keys_or_the_messages() -> None:
    one, other, keyed = make_push(1), make_push(2), make_push(1, collapse_key="score")
    assert number_of(one) == number_of(other) != number_of(keyed)
    assert number_of(keyed) == number_of(make_push(3, message_id="msg_2", collapse_key="score"))
    assert 0 < number_of(one) < 2**31


@named("huawei")
def test_huawei_message(bench: Bench) -> None:
    whole = _sent(bench, url="shop://cart/7", ttl=600, values={"receipt_id": "rcp1", "channel_id": "ch1"})
    android = whole["android"]
    assert (android["category"], android["ttl"], android["bi_tag"], android["receipt_id"]) == (
        "MARKETING", "600s", "msg_1", "rcp1",
    )  # fmt: skip
    shown = android["notification"]
    assert (shown["importance"], shown["channel_id"]) == ("LOW", "ch1")
    assert shown["click_action"] == {"type": 1, "intent": INTENT}
    assert json.loads(whole["data"])["message_id"] == "msg_1"


@named("huawei")
def test_huawei_service_message(bench: Bench) -> None:
    approved = _sent(bench, purpose="service", values={"service_category": "EXPRESS"})["android"]
    assert (approved["category"], approved["notification"]["importance"]) == ("EXPRESS", "NORMAL")
    without = _sent(bench, purpose="service")["android"]
    assert (without["category"], without["notification"]["importance"]) == ("MARKETING", "LOW")


@named("huawei")
def test_huawei_refuses_a_category_that_is_not_approved(bench: Bench) -> None:
    with pytest.raises(CredentialInvalid):
        bench.provider(service_category="VOIP").check()


@named("huawei")
def test_a_payload_that_is_too_long_is_not_sent(bench: Bench) -> None:
    shown = Notification("x", "y", data={"blob": "z" * 4_096})
    assert words(bench.provider().send([bench.push(1, notification=shown)])) == [
        (Result.REJECTED, Scope.MESSAGE, "PAYLOAD_TOO_LARGE")
    ]


@named("harmony")
def test_harmony_message(bench: Bench) -> None:
    whole = _sent(bench, url="https://shop.example/a", ttl=60)
    notification = whole["payload"]["notification"]
    assert notification["clickAction"]["uri"] == "https://shop.example/a"
    assert notification["category"] == "MARKETING"
    assert whole["pushOptions"] == {"ttl": 60, "biTag": "msg_1"}


@named("harmony")
@pytest.mark.parametrize("changes", [{"project_id": "../1"}, {"key_id": ""}, {"private_key": "-----BEGIN"}])
def test_harmony_wants_a_whole_service_account(bench: Bench, changes: dict[str, str]) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        bench.provider(service_account=json.dumps(ACCOUNT | changes)).check()
    assert list(refused.value.fields) == ["service_account"]
    assert bench.server.requests == 0


@named("honor")
def test_honor_message(bench: Bench) -> None:
    marketing = _sent(bench, purpose="service", ttl=60)["android"]
    service = _sent(bench, purpose="service", values={"service_right": "granted"})["android"]
    assert (marketing["notification"]["importance"], marketing["ttl"]) == ("LOW", "60s")
    assert service["notification"]["importance"] == "NORMAL"
    assert service["notification"]["clickAction"] == {"type": 3}


@named("honor")
def test_an_expired_id_is_gone(bench: Bench) -> None:
    bench.service.gone = {bench.phone.device(0)}
    assert [outcome.result for outcome in bench.provider().send(bench.same(2))] == [
        Result.UNREGISTERED, Result.ACCEPTED,
    ]  # fmt: skip


@named("xiaomi")
def test_xiaomi_message(bench: Bench) -> None:
    values = {"channel_id": "news", "service_channel_id": "orders"}
    form = _sent(bench, url="shop://cart/7", ttl=60, values=values, receipt=TOKEN)
    assert (form["extra.channel_id"], form["time_to_live"]) == ("news", "60000")
    assert (form["extra.notify_effect"], form["extra.intent_uri"]) == ("2", INTENT)
    assert (form["extra.callback"], form["extra.callback.param"]) == (f"{HOME}/r/xiaomi", TOKEN)
    assert len(form["extra.jobkey"]) == 12
    assert _sent(bench, purpose="service", values=values)["extra.channel_id"] == "orders"


@named("oppo")
def test_oppo_message(bench: Bench) -> None:
    values = {"service_channel_id": "orders", "service_category": "ORDER"}
    whole = _sent(bench, url="shop://cart/7", ttl=600, values=values, receipt=TOKEN)["notification"]
    assert (whole["click_action_type"], whole["click_action_url"]) == (5, INTENT)
    assert (whole["off_line"], whole["off_line_ttl"], whole["style"]) == (True, 600, 1)
    assert (whole["call_back_url"], whole["call_back_parameter"]) == (f"{HOME}/r/oppo", TOKEN)
    assert "channel_id" not in whole
    service = _sent(bench, purpose="service", values=values, id="5" * 32)["notification"]
    assert (service["channel_id"], service["category"]) == ("orders", "ORDER")
    assert _sent(bench, ttl=0, id="6" * 32)["notification"]["off_line"] is False


@named("oppo")
def test_oppo_shows_a_repeat_once(bench: Bench) -> None:
    assert isinstance(bench.service, OppoService)
    for _ in range(2):
        assert words(bench.provider().send([bench.push(1)])) == [ACCEPTED]
    assert len(bench.service.shown) == 1


@named("oppo")
def test_oppo_takes_different_words_in_one_list(bench: Bench) -> None:
    assert words(bench.provider().send([bench.push(number) for number in range(5)])) == [ACCEPTED] * 5
    assert bench.server.requests == 2
    assert len({shown.body for shown in bench.service.shown}) == 5


@named("vivo")
def test_vivo_message(bench: Bench) -> None:
    values = {"service_category": "ORDER", "category": "NEWS"}
    push = bench.push(1)
    whole = _sent(bench, url="shop://cart/7", ttl=5, values=values, receipt=TOKEN)
    assert (whole["classification"], whole["category"], whole["timeToLive"]) == (0, "NEWS", 60)
    assert (whole["skipType"], whole["skipContent"], whole["requestId"]) == (4, INTENT, push.id)
    assert whole["extra"] == {"callback": f"{HOME}/r/vivo", "callback.param": TOKEN}
    service = _sent(bench, purpose="service", values=values)
    assert (service["classification"], service["category"]) == (1, "ORDER")


@named("vivo")
def test_vivo_counts_columns(bench: Bench) -> None:
    assert (columns_of("中文ab"), columns_of("𠮷")) == (6, 2)
    fits, longer = Notification("中" * 20, "文" * 50), Notification("中" * 20 + "a", "x")
    outcomes = bench.provider().send([bench.push(1, notification=fits), bench.push(2, notification=longer)])
    assert words(outcomes) == [ACCEPTED, (Result.REJECTED, Scope.MESSAGE, "TITLE_TOO_LONG")]


@named("vivo")
def test_vivo_data_is_bounded(bench: Bench) -> None:
    shown = Notification("x", "y", data={"blob": "z" * 1_024})
    assert words(bench.provider().send([bench.push(1, notification=shown)])) == [
        (Result.REJECTED, Scope.MESSAGE, "DATA_TOO_LARGE")
    ]


@named("vivo")
def test_vivo_takes_no_marketing_at_night(bench: Bench) -> None:
    assert isinstance(bench.service, VivoService)
    bench.service.is_night = True
    shown = Notification("Your order", "is here", purpose="service")
    pushes = [*bench.same(2), bench.push(3, notification=shown)]
    outcomes = bench.provider(service_category="ORDER").send(pushes)
    assert words(outcomes) == [(Result.THROTTLED, Scope.CREDENTIAL, "10071")] * 2 + [ACCEPTED]
    bench.service.is_night = False
    assert words(bench.provider().send([bench.push(5)])) == [ACCEPTED]


@named("vivo")
def test_vivo_tells_the_gone_from_the_silent(bench: Bench) -> None:
    assert isinstance(bench.service, VivoService)
    bench.service.gone, bench.service.silent = {bench.phone.device(0)}, {bench.phone.device(1)}
    bench.service.idle = {bench.phone.device(2)}
    assert [(one.result, one.reason) for one in bench.provider().send(bench.same(4))] == [
        (Result.UNREGISTERED, "invalidUser.1"),
        (Result.REJECTED, "invalidUser.2"),
        (Result.REJECTED, "invalidUser.3"),
        (Result.ACCEPTED, ""),
    ]


@named("meizu")
def test_meizu_message(bench: Bench) -> None:
    whole = _sent(bench, url="shop://cart/7", ttl=3_601, receipt=TOKEN)
    assert whole["clickTypeInfo"]["url"] == INTENT
    assert whole["pushTimeInfo"] == {"offLine": 1, "validTime": 2}
    assert whole["extra"] == {"callback": f"{HOME}/r/meizu", "callback.param": TOKEN}
    assert _sent(bench, ttl=0)["pushTimeInfo"] == {"offLine": 0}


@named("meizu")
def test_meizu_signs_words_of_any_language(bench: Bench) -> None:
    shown = Notification("折扣 & 50 %", "=?+「今天」😀")
    assert words(bench.provider().send([bench.push(1, notification=shown)])) == [ACCEPTED]
    assert bench.service.shown[0].body == "=?+「今天」😀"


def test_who_shares_a_request_carries_nobodys_receipt_token(bench: Bench) -> None:
    pushes = [replace(push, receipt=f"{number:040}") for number, push in enumerate(bench.same(3))]
    assert words(bench.provider().send(pushes)) == [ACCEPTED] * 3
    sent = json.dumps([shown.whole for shown in bench.service.shown])
    assert any(push.receipt in sent for push in pushes) is (bench.phone.name == "oppo")


def test_a_tenant_who_wants_every_receipt_sends_one_by_one(bench: Bench) -> None:
    pushes = [replace(push, receipt=f"{number:040}") for number, push in enumerate(bench.same(3))]
    assert words(bench.provider(receipts="each").send(pushes)) == [ACCEPTED] * 3
    for push in pushes:
        assert sum(push.receipt in json.dumps(shown.whole) for shown in bench.service.shown) == 1


def test_without_a_public_address_nobody_is_asked_for_receipts(bench: Bench, settings: Settings) -> None:
    settings.PUBLIC_URL = ""
    whole = json.dumps(_sent(bench, receipt=TOKEN))
    assert "/r/" not in whole
    assert TOKEN in whole


def test_more_devices_than_a_request_holds_are_split(bench: Bench) -> None:
    provider = bench.provider()
    type(provider).rules, before = replace(provider.rules, batch=4), provider.rules
    try:
        assert words(provider.send(bench.same(9))) == [ACCEPTED] * 9
    finally:
        type(provider).rules = before
    assert len({shown.device for shown in bench.service.shown}) == len(bench.service.shown) == 9
