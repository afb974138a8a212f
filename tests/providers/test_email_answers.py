"""Every kind of answer of a mail server, and the word it becomes."""

from __future__ import annotations

import pytest

from apps.providers.base import Result, Scope
from apps.providers.email.answers import AFTER_BUSY, AFTER_GREYLISTING, Said, Stage, outcome_of
from apps.providers.exchanges import Lost
from tests.providers.factories import SENT_AT

SENDER, RECIPIENT, CONTENT, LOGIN = Stage.SENDER, Stage.RECIPIENT, Stage.CONTENT, Stage.LOGIN
_DEVICE = (Result.REJECTED, Scope.DEVICE)
_GONE = (Result.UNREGISTERED, Scope.DEVICE)
_CREDENTIAL = (Result.REJECTED, Scope.CREDENTIAL)


@pytest.mark.parametrize(
    ("said", "words", "reason"),
    [
        (Said(CONTENT, 250, "2.0.0 queued"), (Result.ACCEPTED, Scope.NONE), ""),
        (Said(RECIPIENT, 550, "5.1.1 no such user"), _GONE, "550 5.1.1"),
        (Said(RECIPIENT, 550, "5.1.2 no such domain"), _GONE, "550 5.1.2"),
        (Said(RECIPIENT, 551, "5.1.6 moved"), _GONE, "551 5.1.6"),
        (Said(RECIPIENT, 556, "5.1.10 takes no mail"), _GONE, "556 5.1.10"),
        (Said(RECIPIENT, 550, "go away"), _DEVICE, "550"),
        (Said(RECIPIENT, 550, "5.7.1 not from you"), _DEVICE, "550 5.7.1"),
        (Said(RECIPIENT, 552, "5.2.2 full"), _DEVICE, "552 5.2.2"),
        (Said(RECIPIENT, 553, "5.1.3 strange address"), _DEVICE, "553 5.1.3"),
        (Said(RECIPIENT, 530, "5.7.0 sign in"), _CREDENTIAL, "530 5.7.0"),
        (Said(RECIPIENT, 450, "4.2.1 busy"), (Result.THROTTLED, Scope.DEVICE), "450 4.2.1"),
        (Said(RECIPIENT, 451, "4.7.1 greylisted"), (Result.THROTTLED, Scope.DEVICE), "451 4.7.1"),
        (Said(RECIPIENT, 452, "4.2.2 full"), (Result.THROTTLED, Scope.DEVICE), "452 4.2.2"),
        (Said(RECIPIENT, 421, "closing"), (Result.UNAVAILABLE, Scope.PROVIDER), "421"),
        (Said(SENDER, 421, "4.7.0 too many"), (Result.UNAVAILABLE, Scope.PROVIDER), "421 4.7.0"),
        (Said(SENDER, 450, "4.7.1 slow down"), (Result.THROTTLED, Scope.CREDENTIAL), "450 4.7.1"),
        (Said(SENDER, 553, "5.7.1 not your address"), _CREDENTIAL, "553 5.7.1"),
        (Said(SENDER, 530, "5.7.0 sign in"), _CREDENTIAL, "530 5.7.0"),
        (Said(CONTENT, 451, "4.3.0 disk"), (Result.UNAVAILABLE, Scope.PROVIDER), "451 4.3.0"),
        (Said(CONTENT, 552, "5.3.4 too big"), (Result.REJECTED, Scope.MESSAGE), "552 5.3.4"),
        (Said(CONTENT, 554, "5.7.1 spam"), (Result.REJECTED, Scope.MESSAGE), "554 5.7.1"),
        (Said(LOGIN, 535, "5.7.8 wrong"), _CREDENTIAL, "535 5.7.8"),
        (Said(LOGIN, 454, "4.7.0 later"), (Result.THROTTLED, Scope.CREDENTIAL), "454 4.7.0"),
        (Lost(False, "ConnectionRefusedError"), (Result.UNAVAILABLE, Scope.PROVIDER), "ConnectionRefusedError"),
        (Lost(True, "SMTPServerDisconnected"), (Result.UNKNOWN, Scope.PROVIDER), "SMTPServerDisconnected"),
    ],
)
def test_an_answer_becomes_a_word(said: Said | Lost, words: tuple[Result, Scope], reason: str) -> None:
    outcome = outcome_of("id", said, SENT_AT)
    assert ((outcome.result, outcome.scope), outcome.reason) == (words, reason)


def test_only_a_dead_mailbox_has_a_time_of_death() -> None:
    assert outcome_of("id", Said(RECIPIENT, 550, "5.1.1 no"), SENT_AT).gone_at == SENT_AT
    assert outcome_of("id", Said(RECIPIENT, 550, "no"), SENT_AT).gone_at is None


def test_a_temporary_answer_says_how_long_to_wait() -> None:
    assert outcome_of("id", Said(RECIPIENT, 451, "4.7.1 greylisted"), SENT_AT).retry_after == AFTER_GREYLISTING
    assert outcome_of("id", Said(SENDER, 450, "slow down"), SENT_AT).retry_after == AFTER_BUSY
