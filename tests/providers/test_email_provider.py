"""The provider `email` against a mail server that does what it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from apps.providers.base import Credential, Endpoint, Outcome, Push, Result, Scope, Sender
from apps.providers.counterparts.smtp import MailCounterpart
from apps.providers.email.provider import EmailProvider
from apps.providers.email.sending import close_mail_connections
from apps.providers.errors import CredentialInvalid, NetworkSilent
from tests.providers.factories import make_push

PAGE = "https://push.example/p/token/"
ACCEPTED = (Result.ACCEPTED, Scope.NONE, "")


@pytest.fixture
def server() -> Iterator[MailCounterpart]:
    with (
        MailCounterpart() as server,
        override_settings(EGRESS_ALLOW={server.origin}, PUBLIC_URL="https://push.example"),
    ):
        yield server
        close_mail_connections()


def _provider(counterpart: MailCounterpart, **changes: str) -> EmailProvider:
    values = {
        "from": "Shop <news@shop.example>", "server": f"127.0.0.1:{counterpart.port}", "username": "", "password": "",
        **changes,
    }  # fmt: skip
    return EmailProvider(Sender("local", 1, "app", (Credential("pcr_1", values),)))


def _push(number: int, mailbox: str = "", **changes: object) -> Push:
    endpoint = Endpoint(mailbox or f"person-{number}@example.com", "mailbox")
    return make_push(number, endpoint, **{"unsubscribe_url": PAGE, "language": "en", **changes})


def _words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


def test_a_mail_has_text_and_html_and_a_button_to_unsubscribe(server: MailCounterpart) -> None:
    push = _push(1)
    assert _words(_provider(server).send([push])) == [ACCEPTED]
    [arrived] = server.arrived
    assert (arrived.sender, arrived.recipient) == ("news@shop.example", "person-1@example.com")
    mail = arrived.mail
    assert (mail["From"], mail["To"], mail["Subject"]) == ("Shop <news@shop.example>", "person-1@example.com", "Hello")
    assert mail["Message-ID"] == f"<{push.id}@shop.example>"
    assert mail["List-Unsubscribe"] == f"<{PAGE}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (part.get_content() for part in mail.iter_parts())
    for content in (text, html):
        assert "You are number 1" in content
        assert PAGE in content
    assert 'href="https://shop.example/"' in html


def test_our_own_words_in_a_mail_are_in_its_language(server: MailCounterpart) -> None:
    _provider(server).send([_push(1, language="zh-Hans")])
    [html] = [part for part in server.arrived[0].mail.walk() if part.get_content_type() == "text/html"]
    assert 'lang="zh-Hans"' in html.get_content()


def test_words_of_a_person_cannot_become_markup_or_a_header(server: MailCounterpart) -> None:
    push = _push(1)
    shown = push.notification.__class__("Hi\r\nBcc: all@example.com", "<script>alert(1)</script>")
    _provider(server).send([_push(1, notification=shown)])
    mail = server.arrived[0].mail
    assert (mail["Subject"], mail["Bcc"]) == ("Hi Bcc: all@example.com", None)
    html = next(part for part in mail.walk() if part.get_content_type() == "text/html").get_content()
    assert "<script>" not in html


def test_without_https_nobody_is_promised_one_click(server: MailCounterpart) -> None:
    _provider(server).send([_push(1, unsubscribe_url="http://127.0.0.1:8000/p/token/")])
    mail = server.arrived[0].mail
    assert mail["List-Unsubscribe"] == "<http://127.0.0.1:8000/p/token/>"
    assert mail["List-Unsubscribe-Post"] is None


def test_connections_are_kept_from_one_call_to_the_next(server: MailCounterpart) -> None:
    provider = _provider(server)
    assert _words(provider.send([_push(number) for number in range(40)])) == [ACCEPTED] * 40
    first = server.connections
    assert 1 <= first <= 4
    assert _words(provider.send([_push(number) for number in range(40, 80)])) == [ACCEPTED] * 40
    assert (server.connections, len(server.arrived)) == (first, 80)


def test_a_server_that_closes_after_some_mails_gets_the_rest_on_new_connections(server: MailCounterpart) -> None:
    server.behaviour.per_connection = 3
    pushes = [_push(number) for number in range(20)]
    assert _words(_provider(server).send(pushes)) == [ACCEPTED] * 20
    assert sorted(one.mail["Message-ID"] for one in server.arrived) == sorted(
        f"<{push.id}@shop.example>" for push in pushes
    )


def test_a_dead_mailbox_is_told_from_one_that_is_refused_and_from_a_busy_one(server: MailCounterpart) -> None:
    server.behaviour.refusals = {
        "gone@example.com": "550 5.1.1 no such user",
        "refused@example.com": "550 not you",
        "busy@example.com": "451 4.7.1 greylisted",
    }
    pushes = [_push(0), _push(1, "gone@example.com"), _push(2, "refused@example.com"), _push(3, "busy@example.com")]
    assert _words(_provider(server).send(pushes)) == [
        ACCEPTED,
        (Result.UNREGISTERED, Scope.DEVICE, "550 5.1.1"),
        (Result.REJECTED, Scope.DEVICE, "550"),
        (Result.THROTTLED, Scope.DEVICE, "451 4.7.1"),
    ]
    assert [one.recipient for one in server.arrived] == ["person-0@example.com"]


def test_a_connection_cut_after_the_content_leaves_that_mail_unknown_and_no_other(server: MailCounterpart) -> None:
    server.behaviour.cut = {2}
    outcomes = _provider(server).send([_push(number) for number in range(12)])
    results = [outcome.result for outcome in outcomes]
    assert (results.count(Result.ACCEPTED), results.count(Result.UNKNOWN)) == (11, 1)
    assert len(server.arrived) == len({one.mail["Message-ID"] for one in server.arrived}) == 12


def test_content_that_is_refused_is_the_messages_fault(server: MailCounterpart) -> None:
    server.behaviour.replies = {".": ["554 5.7.1 spam", "451 4.3.0 disk full"]}
    assert _words(_provider(server).send([_push(1)])) == [(Result.REJECTED, Scope.MESSAGE, "554 5.7.1")]
    assert _words(_provider(server).send([_push(2)])) == [(Result.UNAVAILABLE, Scope.PROVIDER, "451 4.3.0")]
    assert _words(_provider(server).send([_push(3)])) == [ACCEPTED]


def test_a_server_that_is_away_makes_everything_surely_not_sent(server: MailCounterpart) -> None:
    with MailCounterpart() as other:
        origin = other.origin
    with override_settings(EGRESS_ALLOW={origin}):
        outcomes = _provider(other).send([_push(number) for number in range(9)])
    assert {(outcome.result, outcome.scope) for outcome in outcomes} == {(Result.UNAVAILABLE, Scope.PROVIDER)}


def test_a_password_that_is_refused_stops_the_credential(server: MailCounterpart) -> None:
    server.behaviour.users = {"shop": "secret"}
    refused = _provider(server, username="shop", password="wrong").send([_push(1), _push(2)])
    assert {(one.result, one.scope) for one in refused} == {(Result.REJECTED, Scope.CREDENTIAL)}
    assert _words(_provider(server, username="shop", password="secret").send([_push(1)])) == [ACCEPTED]


def test_a_credential_is_checked_by_signing_in(server: MailCounterpart) -> None:
    server.behaviour.users = {"shop": "secret"}
    _provider(server, username="shop", password="secret").check()
    with pytest.raises(CredentialInvalid) as refused:
        _provider(server, username="shop", password="wrong").check()
    assert "535" in str(refused.value.fields["__all__"][0])
    assert server.arrived == []


def test_a_credential_with_a_bad_field_is_refused_by_name(server: MailCounterpart) -> None:
    for changes, field in (
        ({"from": "nobody"}, "from"),
        ({"from": "a\nb <a@b.example>"}, "from"),
        ({"server": "10.0.0.1:25"}, "server"),
        ({"server": "127.0.0.1:1"}, "server"),
        ({"server": "mail.example:80"}, "server"),
    ):
        with pytest.raises(CredentialInvalid) as refused:
            _provider(server, **changes).check()
        assert list(refused.value.fields) == [field]


def test_a_credential_needs_an_address_to_unsubscribe_at(server: MailCounterpart) -> None:
    with override_settings(PUBLIC_URL=""), pytest.raises(CredentialInvalid):
        _provider(server).check()


def test_a_server_that_says_nothing_is_no_bad_credential(server: MailCounterpart) -> None:
    with MailCounterpart() as other:
        origin = other.origin
    with override_settings(EGRESS_ALLOW={origin}), pytest.raises(NetworkSilent):
        _provider(other).check()


def test_what_is_no_mailbox_is_refused_before_anything_is_sent(server: MailCounterpart) -> None:
    pushes = [make_push(1), make_push(2, Endpoint("token")), _push(3, "a b@example.com")]
    assert _words(_provider(server).send(pushes)) == [
        (Result.REJECTED, Scope.DEVICE, "no_mailbox"),
        (Result.REJECTED, Scope.DEVICE, "no_mailbox"),
        (Result.REJECTED, Scope.DEVICE, "not_an_address"),
    ]
    assert server.connections == 0
