"""What holds for every phone maker's channel: sending, lists, tokens, quotas, faults and checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from apps.providers.base import Endpoint, Notification, Result, Scope
from apps.providers.counterparts.faults import Cut, Refuse, Say
from apps.providers.counterparts.vendors.common import VendorService
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.registry import limits_of
from apps.providers.vendors.answers import CHINA
from tests.providers.factories import SENT_AT
from tests.providers.vendors.conftest import ACCEPTED, Bench, words
from tests.providers.vendors.phones import PHONES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]
GIVING_TOKENS = ["huawei", "honor", "oppo", "vivo"]
gives_tokens = pytest.mark.parametrize("bench", GIVING_TOKENS, indirect=True)


def _requests_for_token(bench: Bench) -> int:
    return int(bench.phone.name in GIVING_TOKENS)


def test_a_push_arrives(bench: Bench) -> None:
    [outcome] = bench.provider().send([bench.push(1)])
    assert words([outcome]) == [ACCEPTED]
    assert outcome.provider_message_id
    [shown] = bench.service.shown
    assert (shown.device, shown.title, shown.body) == (bench.phone.device(1), "Hello", "You are number 1")


def test_equal_pushes_travel_together_and_each_gets_its_outcome(bench: Bench) -> None:
    bench.service.malformed = {bench.phone.device(3)}
    pushes = bench.same(6)
    outcomes = bench.provider().send(pushes)
    assert [outcome.push_id for outcome in outcomes] == [push.id for push in pushes]
    assert [outcome.result is Result.ACCEPTED for outcome in outcomes] == [True, True, True, False, True, True]
    assert outcomes[3].scope is Scope.DEVICE
    assert len(bench.service.shown) == 5
    steps = 2 if bench.phone.name == "vivo" else 1
    assert bench.server.requests == steps + _requests_for_token(bench)


def test_pushes_of_different_words_are_not_mixed_up(bench: Bench) -> None:
    assert words(bench.provider().send([bench.push(number) for number in range(5)])) == [ACCEPTED] * 5
    seen = {(shown.device, shown.body) for shown in bench.service.shown}
    assert seen == {(bench.phone.device(number), f"You are number {number}") for number in range(5)}


def test_one_token_serves_all_workers(bench: Bench, clock: time_machine.Traveller) -> None:
    for number in range(3):
        assert words(bench.provider().send([bench.push(number)])) == [ACCEPTED]
        clock.shift(timedelta(minutes=10))
    assert bench.service.tokens_given == _requests_for_token(bench)


def test_a_token_that_the_vendor_forgot_is_renewed_once(bench: Bench, clock: time_machine.Traveller) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    bench.service.tokens.clear()
    clock.shift(timedelta(minutes=1))
    assert words(provider.send(bench.same(3))) == [ACCEPTED] * 3
    assert bench.service.tokens_given == 2 * _requests_for_token(bench)


@gives_tokens
def test_a_token_that_is_refused_again_is_the_accounts_fault(
    bench: Bench, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    monkeypatch.setattr(VendorService, "token_is_good", lambda *_: False)
    clock.shift(timedelta(minutes=1))
    [outcome] = provider.send([bench.push(1)])
    assert (outcome.result, outcome.scope) == (Result.REJECTED, Scope.CREDENTIAL)
    assert bench.service.tokens_given == 2


@gives_tokens
def test_without_a_token_nothing_is_sent(bench: Bench) -> None:
    bench.server.faults = {1: Say(503)}
    assert words(bench.provider().send([bench.push(0)])) == [(Result.UNAVAILABLE, Scope.CREDENTIAL, "503")]
    assert bench.service.shown == []


def test_a_stranger_is_refused_when_sending_and_when_saving(bench: Bench) -> None:
    stranger = bench.provider(**bench.phone.wrong)
    [outcome] = stranger.send([bench.push(0)])
    assert (outcome.result, outcome.scope) == (Result.REJECTED, Scope.CREDENTIAL)
    with pytest.raises(CredentialInvalid) as refused:
        stranger.check()
    assert list(refused.value.fields) == ["__all__"]
    assert bench.service.shown == []


def test_a_good_credential_is_believed_by_sending_to_nobody(bench: Bench) -> None:
    bench.provider(**bench.phone.service_values).check()
    assert bench.service.shown == []
    assert bench.server.requests > _requests_for_token(bench)


def test_a_silent_vendor_proves_nothing(bench: Bench) -> None:
    bench.server.faults = dict.fromkeys(range(1, 9), Say(503))
    with pytest.raises(NetworkSilent):
        bench.provider().check()


@pytest.mark.parametrize("field", ["daily_quota", "per_second"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "9" * 20, "١"])
@pytest.mark.parametrize("bench", ["xiaomi"], indirect=True)
def test_a_limit_that_is_no_number_is_refused(bench: Bench, field: str, text: str) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        bench.provider(**{field: text}).check()
    assert list(refused.value.fields) == [field]
    assert bench.server.requests == 0


def test_too_fast_makes_the_next_call_wait(bench: Bench) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    bench.server.faults = {bench.server.requests + 1: Say(429, b"", {"retry-after": "30"})}
    [outcome] = provider.send([bench.push(1)])
    assert (outcome.result, outcome.scope, outcome.retry_after) == (Result.THROTTLED, Scope.CREDENTIAL, 30.0)
    [later] = provider.send([bench.push(2)])
    assert words([later]) == [(Result.THROTTLED, Scope.CREDENTIAL, "paced")]


def test_a_failing_vendor_is_unavailable_and_a_cut_connection_unknown(bench: Bench) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    before = bench.server.requests
    bench.server.faults = {before + 1: Say(502, b"<html>"), before + 2: Cut()}
    [failed], [lost] = provider.send([bench.push(1)]), provider.send([bench.push(2)])
    assert (failed.result, failed.scope) == (Result.UNAVAILABLE, Scope.PROVIDER)
    assert (lost.result, lost.scope) == (Result.UNKNOWN, Scope.PROVIDER)


def test_what_was_refused_before_it_was_looked_at_is_sent_again_by_itself(bench: Bench) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    bench.server.faults = {bench.server.requests + 1: Refuse()}
    assert words(provider.send([bench.push(1)])) == [ACCEPTED]
    assert len(bench.service.shown) == 2


def test_an_answer_that_cannot_be_read_says_nothing(bench: Bench) -> None:
    provider = bench.provider()
    provider.send([bench.push(0)])
    bench.server.faults = {bench.server.requests + 1: Say(200, b"<html>welcome to the hotel</html>")}
    [outcome] = provider.send([bench.push(1)])
    assert (outcome.result, outcome.scope) == (Result.UNKNOWN, Scope.PROVIDER)


def test_the_declared_quota_leaves_the_rest_for_tomorrow(bench: Bench, clock: time_machine.Traveller) -> None:
    provider = bench.provider(daily_quota="2")
    outcomes = provider.send([bench.push(number) for number in range(4)])
    assert words(outcomes)[:2] == [ACCEPTED] * 2
    assert words(outcomes)[2:] == [(Result.THROTTLED, Scope.CREDENTIAL, "day_quota")] * 2
    wait = outcomes[3].retry_after
    assert wait is not None
    tomorrow = SENT_AT + timedelta(seconds=wait + 60)
    assert (tomorrow.astimezone(CHINA).date() - SENT_AT.astimezone(CHINA).date()).days == 1
    clock.move_to(tomorrow)
    assert words(provider.send([bench.push(5)])) == [ACCEPTED]


def test_service_messages_have_no_part_in_the_marketing_quota(bench: Bench) -> None:
    provider = bench.provider(daily_quota="1", **bench.phone.service_values)
    shown = Notification("Your order", "is on its way", purpose="service")
    pushes = [bench.push(0), bench.push(1), bench.push(2, notification=shown), bench.push(3, notification=shown)]
    assert [outcome.result for outcome in provider.send(pushes)] == [
        Result.ACCEPTED, Result.THROTTLED, Result.ACCEPTED, Result.ACCEPTED,
    ]  # fmt: skip


def test_refused_devices_do_not_use_up_the_quota(bench: Bench) -> None:
    bench.service.malformed = {bench.phone.device(0)}
    provider = bench.provider(daily_quota="1")
    assert provider.send([bench.push(0)])[0].scope is Scope.DEVICE
    assert words(provider.send([bench.push(1)])) == [ACCEPTED]


@pytest.mark.parametrize("bench", ["xiaomi", "oppo", "vivo"], indirect=True)
def test_a_quota_that_the_vendor_says_is_spent_is_not_tried_again_today(
    bench: Bench, clock: time_machine.Traveller
) -> None:
    bench.service.day_quota = 0
    provider = bench.provider()
    [outcome] = provider.send([bench.push(0)])
    assert (outcome.result, outcome.scope) == (Result.THROTTLED, Scope.CREDENTIAL)
    assert outcome.retry_after is not None
    assert 0 < outcome.retry_after <= 86_400
    asked = bench.server.requests
    assert words(provider.send([bench.push(1)])) == [(Result.THROTTLED, Scope.CREDENTIAL, "day_quota")]
    assert bench.server.requests == asked
    bench.service.day_quota = None
    clock.shift(timedelta(days=1))
    assert words(provider.send([bench.push(2)])) == [ACCEPTED]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (Notification("", "x"), "TITLE_MISSING"),
        (Notification("x", " \n"), "BODY_MISSING"),
        (Notification("x" * 5_000, "x"), "TITLE_TOO_LONG"),
        (Notification("x", "x" * 5_000), "BODY_TOO_LONG"),
    ],
)
def test_words_that_the_vendor_would_refuse_are_not_sent(bench: Bench, shown: Notification, reason: str) -> None:
    outcomes = bench.provider().send([bench.push(0, notification=shown), bench.push(1)])
    assert words(outcomes) == [(Result.REJECTED, Scope.MESSAGE, reason), ACCEPTED]
    assert len(bench.service.shown) == 1


@pytest.mark.parametrize("address", ["a,b", "a b", "\u4e2d", "a\nb", "x" * 600])
def test_an_id_that_would_be_two_is_refused(bench: Bench, address: str) -> None:
    outcomes = bench.provider().send([replace(bench.push(0), endpoint=Endpoint(address))])
    assert words(outcomes) == [(Result.REJECTED, Scope.DEVICE, "malformed_token")]
    assert bench.server.requests == 0


@pytest.mark.parametrize("name", PHONES)
def test_its_days_are_those_of_china_and_count_marketing(name: str) -> None:
    limits = limits_of(name)
    assert (limits.day_begins, limits.marketing_only, limits.per_day) == (8 * 3_600, True, None)
