"""Every row of the vendors' tables of codes, and what it becomes. The rows are the vendors' own words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.providers.base import Credential, Endpoint, Outcome, Result, Scope, Sender
from apps.providers.exchanges import Lost, Reply
from apps.providers.registry import open_provider
from apps.providers.vendors.answers import Said
from apps.providers.vendors.provider import VendorProvider
from tests.providers.factories import make_push
from tests.providers.vendors.phones import PHONES

#: Eight in the evening in China.
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TO_MIDNIGHT, TO_SEVEN = 4 * 3_600.0, 11 * 3_600.0
PUSHES = [make_push(number, Endpoint(address)) for number, address in enumerate("ab")]

Word = tuple[Result, Scope]
ACCEPTED = (Result.ACCEPTED, Scope.NONE)
DEVICE, MESSAGE, CREDENTIAL = ((Result.REJECTED, scope) for scope in (Scope.DEVICE, Scope.MESSAGE, Scope.CREDENTIAL))
GONE = (Result.UNREGISTERED, Scope.DEVICE)
TOO_FAST, TOO_MANY = (Result.THROTTLED, Scope.CREDENTIAL), (Result.THROTTLED, Scope.DEVICE)
STALE, LATER = (Result.UNAVAILABLE, Scope.CREDENTIAL), (Result.UNAVAILABLE, Scope.PROVIDER)
UNKNOWN = (Result.UNKNOWN, Scope.PROVIDER)


def _provider(name: str) -> VendorProvider:
    sender = Sender("local", 1, "app", (Credential("pcr_1", PHONES[name].values),))
    provider = open_provider(name, sender)
    assert isinstance(provider, VendorProvider)
    return provider


def _outcomes(name: str, body: Any, status: int = 200, **headers: str) -> list[Outcome]:
    provider = _provider(name)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Reply(status, headers, raw)
    return provider.codes.outcomes(PUSHES, reply, provider.read(reply, PUSHES), now=NOW)


def _words(outcomes: list[Outcome]) -> list[Word]:
    return [(outcome.result, outcome.scope) for outcome in outcomes]


@pytest.mark.parametrize("name", ["huawei", "harmony"])
@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("80000000", ACCEPTED), ("80100001", MESSAGE), ("80100003", MESSAGE), ("80100004", MESSAGE),
        ("80100013", MESSAGE), ("80100016", MESSAGE), ("80100018", MESSAGE), ("80100022", MESSAGE),
        ("80200001", STALE), ("80200003", STALE), ("80200005", STALE), ("80300002", CREDENTIAL), ("80300007", DEVICE),
        ("80300008", MESSAGE), ("80300010", MESSAGE), ("80300011", CREDENTIAL), ("80300013", CREDENTIAL),
        ("80300029", TOO_FAST), ("80300036", STALE), ("80300037", CREDENTIAL), ("80600003", LATER),
        ("81000001", LATER), ("80999999", MESSAGE),
    ],
)  # fmt: skip
def test_huawei_codes(name: str, code: str, word: Word) -> None:
    outcomes = _outcomes(name, {"code": code, "msg": "a sentence", "requestId": "r1"})
    assert _words(outcomes) == [word, word]
    assert [one.reason for one in outcomes] == ["" if word == ACCEPTED else code] * 2
    assert outcomes[0].provider_message_id == ("r1" if word == ACCEPTED else "")


@pytest.mark.parametrize(
    ("name", "msg", "word", "reason"),
    [
        ("huawei", {"success": 1, "failure": 1, "illegal_tokens": ["a"]}, DEVICE, "80100000"),
        ("harmony", {"success": 1, "failure": 1, "tokenFormatError": ["a"]}, DEVICE, "tokenFormatError"),
        ("harmony", {"illegal_tokens": {"noRight": ["a"]}}, DEVICE, "noRight"),
        ("harmony", {"countryNotSupport": ["a"]}, DEVICE, "countryNotSupport"),
        ("harmony", {"noPushTypeRight": ["a"]}, CREDENTIAL, "noPushTypeRight"),
    ],
)
def test_huawei_names_the_refused_of_a_list(name: str, msg: Any, word: Word, reason: str) -> None:
    outcomes = _outcomes(name, {"code": "80100000", "msg": json.dumps(msg), "requestId": "r1"})
    assert _words(outcomes) == [word, ACCEPTED]
    assert outcomes[0].reason == reason


@pytest.mark.parametrize("msg", ["Illegal token", "[]", '{"illegal_tokens": "a"}'])
def test_a_partial_success_that_names_nobody_says_nothing(msg: str) -> None:
    assert _words(_outcomes("huawei", {"code": "80100000", "msg": msg})) == [UNKNOWN, UNKNOWN]


def test_huawei_controls_traffic_by_503() -> None:
    assert _words(_outcomes("huawei", b"", 503)) == [TOO_FAST] * 2


@pytest.mark.parametrize(
    ("code", "word"), [(200, ACCEPTED), (80200001, STALE), (80200003, STALE), (80300007, DEVICE), (80100003, MESSAGE)]
)
def test_honor_codes(code: int, word: Word) -> None:
    assert _words(_outcomes("honor", {"code": code, "message": "m", "data": {"requestId": "r1"}})) == [word, word]


def test_honor_tells_failed_from_expired() -> None:
    data = {"sendResult": True, "requestId": "r1", "failTokens": ["a"], "expireTokens": ["b"]}
    failed, expired = _outcomes("honor", {"code": 200, "data": data})
    assert _words([failed, expired]) == [DEVICE, GONE]
    assert (failed.gone_at, expired.gone_at) == (None, NOW)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, ACCEPTED), (10001, LATER), (10002, LATER), (10003, LATER), (10009, LATER), (10008, MESSAGE),
        (10016, MESSAGE), (10017, MESSAGE), (10018, MESSAGE), (10013, CREDENTIAL), (10014, CREDENTIAL),
        (10026, CREDENTIAL), (10022, TOO_FAST), (10023, TOO_FAST), (10027, TOO_FAST), (10034, TOO_FAST),
        (10031, CREDENTIAL), (20301, DEVICE), (21301, CREDENTIAL), (22022, CREDENTIAL), (27001, MESSAGE),
        (65009, MESSAGE), (99999, MESSAGE),
    ],
)  # fmt: skip
def test_xiaomi_codes(code: int, word: Word) -> None:
    assert _words(_outcomes("xiaomi", {"result": "x", "code": code, "data": {"id": "m1"}})) == [word, word]


def test_xiaomi_lists_bad_ids() -> None:
    outcomes = _outcomes("xiaomi", {"code": 0, "data": {"id": "m1", "bad_regids": "x,a"}})
    assert _words(outcomes) == [DEVICE, ACCEPTED]
    assert outcomes[1].provider_message_id == "m1"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, ACCEPTED), (-2, TOO_FAST), (-1, LATER), (11, STALE), (12, CREDENTIAL), (13, TOO_FAST), (14, CREDENTIAL),
        (15, CREDENTIAL), (16, CREDENTIAL), (17, CREDENTIAL), (18, CREDENTIAL), (19, CREDENTIAL), (20, MESSAGE),
        (21, MESSAGE), (22, MESSAGE), (23, MESSAGE), (24, MESSAGE), (25, MESSAGE), (26, CREDENTIAL), (27, CREDENTIAL),
        (28, CREDENTIAL), (29, STALE), (30, CREDENTIAL), (31, MESSAGE), (32, MESSAGE), (33, TOO_FAST), (34, MESSAGE),
        (40, MESSAGE), (41, MESSAGE), (51, MESSAGE), (55, TOO_FAST), (59, CREDENTIAL), (67, CREDENTIAL),
        (10000, DEVICE),
    ],
)  # fmt: skip
def test_oppo_codes(code: int, word: Word) -> None:
    assert _words(_outcomes("oppo", {"code": code, "message": "m", "data": {"messageId": "m1"}})) == [word, word]


def test_oppo_answers_for_each_of_a_list() -> None:
    data = [{"messageId": "m1", "registrationId": "a"}, {"messageId": "m2", "registrationId": "b", "errorCode": 10000}]
    good, bad = _outcomes("oppo", {"code": 0, "data": data})
    assert (good.result, good.provider_message_id) == (Result.ACCEPTED, "m1")
    assert (bad.result, bad.scope, bad.reason) == (Result.REJECTED, Scope.DEVICE, "10000")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, ACCEPTED), (10000, STALE), (10070, TOO_FAST), (10071, TOO_FAST), (10072, TOO_FAST), (10073, TOO_FAST),
        (10085, MESSAGE), (10094, CREDENTIAL), (10104, MESSAGE), (10252, TOO_FAST), (10254, TOO_FAST), (10302, DEVICE),
        (10999, MESSAGE),
    ],
)  # fmt: skip
def test_vivo_codes(code: int, word: Word) -> None:
    assert _words(_outcomes("vivo", {"result": code, "desc": "d", "taskId": "t1"})) == [word, word]


@pytest.mark.parametrize(("status", "word"), [(1, GONE), (2, DEVICE), (3, DEVICE), (4, MESSAGE), (9, DEVICE)])
def test_vivo_says_what_is_wrong_with_a_device(status: int, word: Word) -> None:
    of_list = _outcomes("vivo", {"result": 0, "invalidUsers": [{"userid": "a", "status": status}]})
    of_one = _outcomes("vivo", {"result": 10302, "invalidUser": {"userid": "a", "status": status}})
    assert (_words(of_list), _words(of_one)[0]) == ([word, ACCEPTED], word)
    assert of_list[0].gone_at == (NOW if word == GONE else None)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("200", ACCEPTED), ("500", LATER), ("518", TOO_FAST), ("1001", LATER), ("1003", LATER), ("1005", MESSAGE),
        ("1006", CREDENTIAL), ("110000", CREDENTIAL), ("110001", CREDENTIAL), ("110004", MESSAGE),
        ("110009", CREDENTIAL), ("110010", TOO_FAST), ("110053", MESSAGE),
    ],
)  # fmt: skip
def test_meizu_codes(code: str, word: Word) -> None:
    assert _words(_outcomes("meizu", {"code": code, "message": "", "value": "", "msgId": "m1"})) == [word, word]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("201", DEVICE), ("501", LATER), ("513", LATER), ("518", TOO_FAST), ("519", LATER), ("520", TOO_MANY),
        ("110002", DEVICE), ("110003", DEVICE), ("110099", DEVICE),
    ],
)  # fmt: skip
def test_meizu_says_what_is_wrong_with_a_device(code: str, word: Word) -> None:
    outcomes = _outcomes("meizu", {"code": "200", "value": {code: ["a"]}, "msgId": "m1"})
    assert _words(outcomes) == [word, ACCEPTED]
    assert outcomes[0].reason == code


@pytest.mark.parametrize(
    ("name", "body", "wait"),
    [
        ("xiaomi", {"code": 10034}, TO_MIDNIGHT),
        ("oppo", {"code": 33}, TO_MIDNIGHT),
        ("vivo", {"result": 10070}, TO_MIDNIGHT),
        ("vivo", {"result": 10252}, TO_MIDNIGHT),
        ("vivo", {"result": 10254}, TO_MIDNIGHT),
        ("vivo", {"result": 10071}, TO_SEVEN),
        ("vivo", {"result": 10072}, None),
    ],
)
def test_a_limit_of_the_day_ends_by_the_clock_in_china(name: str, body: Any, wait: float | None) -> None:
    assert [outcome.retry_after for outcome in _outcomes(name, body)] == [wait, wait]


@pytest.mark.parametrize("name", PHONES)
@pytest.mark.parametrize(
    ("status", "word"),
    [(429, TOO_FAST), (500, LATER), (502, LATER), (401, STALE), (403, CREDENTIAL), (404, CREDENTIAL), (302, MESSAGE)],
)
def test_a_status_without_a_code(name: str, status: int, word: Word) -> None:
    assert _words(_outcomes(name, b"<html>", status)) == [word, word]


@pytest.mark.parametrize("name", PHONES)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"data": 7, "value": 7, "invalidUsers": 7, "msg": 7}'])
def test_an_answer_of_no_known_shape_says_nothing(name: str, body: bytes) -> None:
    assert _words(_outcomes(name, body)) == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("name", PHONES)
def test_retry_after_is_kept(name: str) -> None:
    assert {outcome.retry_after for outcome in _outcomes(name, b"", 429, **{"retry-after": "17"})} == {17.0}


@pytest.mark.parametrize(("sent", "word"), [(True, UNKNOWN), (False, LATER)])
def test_no_answer(sent: bool, word: Word) -> None:
    codes = _provider("oppo").codes
    assert _words(codes.outcomes(PUSHES, Lost(sent, "x"), Said(""), now=NOW)) == [word, word]


def test_the_same_device_twice_gets_the_same_word() -> None:
    provider = _provider("xiaomi")
    reply = Reply(200, {}, b'{"code": 0, "data": {"bad_regids": "a"}}')
    pushes = [PUSHES[0], replace(PUSHES[0], id="other")]
    assert _words(provider.codes.outcomes(pushes, reply, provider.read(reply, pushes), now=NOW)) == [DEVICE, DEVICE]
