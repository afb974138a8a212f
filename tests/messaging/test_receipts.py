"""Receipts: the token in a push, what a report does, and that the kept sums are those of the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audience.models import Subscriber
from apps.audience.services.subscribers import erase_subscriber
from apps.core import clock
from apps.messaging.ledger.states import Counts
from apps.messaging.ledger.tallies import fold_tallies
from apps.messaging.models import Delivery, Message, Receipt, ReceiptTally
from apps.messaging.queries import counts_of, differences, people_with_receipts
from apps.messaging.receipts.meaning import Kind, ReceiptIn
from apps.messaging.receipts.tokens import LENGTH, Sent, read_token, tokens_for
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, record_receipts, record_reports, record_signed_reports
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": "Hello"}}


@pytest.fixture
def sent(application: Application, people: list[str], network: Recorder) -> Message:
    """A message that has reached three people."""
    return send_to(application, people)


def send_to(application: Application, people: list[str]) -> Message:
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content=CONTENT, routes=["realtime"],
            external_ids=people,
        )  # fmt: skip
    assert send_due_chunks(seconds=30) is False
    return message


@pytest.fixture
def report(application: Application) -> Callable[..., list[str]]:
    """Reports what each token is given with; answers the status, or the code of what is wrong."""

    def report(*reports: object) -> list[str]:
        results = record_signed_reports(reports=reports)
        return [result.problem.code if result.problem else result.status for result in results]

    return report


def counts(message: Message) -> Counts:
    """The kept counts, after proving that the ledger says the same."""
    with tenant_scope(message.tenant_id):
        assert differences(message) == {}
        return counts_of(message)


def kinds(message: Message) -> list[tuple[str, datetime]]:
    with tenant_scope(message.tenant_id):
        rows = Receipt.objects.of(message.tenant_id).filter(message=message).order_by("delivery_id", "kind")
        return list(rows.values_list("kind", "at"))


@given(tenant=st.integers(1, (1 << 63) - 1), deliveries=st.lists(st.integers(1, (1 << 63) - 1), max_size=5))
def test_a_token_is_read_as_what_it_was_made_for(tenant: int, deliveries: list[int]) -> None:
    tokens = tokens_for(tenant, deliveries)
    assert [read_token(token) for token in tokens] == [Sent(tenant, delivery) for delivery in deliveries]
    assert {len(token) for token in tokens} <= {LENGTH}


@given(position=st.integers(0, LENGTH - 1), letter=st.sampled_from("ABab01-_"))
def test_a_token_with_one_other_letter_is_nobodys(position: int, letter: str) -> None:
    (token,) = tokens_for(7, [42])
    forged = token[:position] + letter + token[position + 1 :]
    assert read_token(forged) == (Sent(7, 42) if forged == token else None)


@given(st.one_of(st.text(max_size=80), st.integers(), st.none(), st.lists(st.integers(), max_size=2)))
def test_what_is_not_a_token_is_nobodys(value: object) -> None:
    assert read_token(value) is None


def test_one_tenants_signature_under_anothers_block_is_nobodys() -> None:
    (ours,), (theirs,) = tokens_for(1, [42]), tokens_for(2, [42])
    mixed = theirs[:20] + ours[20:]
    assert read_token(mixed) is None


def test_every_push_carries_the_token_of_its_delivery(sent: Message, network: Recorder) -> None:
    with tenant_scope(sent.tenant_id):
        rows = list(
            Delivery.objects.of(sent.tenant_id).filter(message=sent).order_by("id").values_list("id", flat=True)
        )
    assert [read_token(push.receipt) for push in network.pushes] == [Sent(sent.tenant_id, row) for row in rows]


def test_a_click_implies_that_it_was_opened_and_received(
    sent: Message, network: Recorder, report: Callable[..., list[str]]
) -> None:
    at = clock.now() - timedelta(minutes=5)
    assert report({"token": network.pushes[0].receipt, "kind": "clicked", "at": at.isoformat()}) == ["recorded"]
    assert kinds(sent) == [("clicked", at), ("opened", at), ("received", at)]
    assert counts(sent) == Counts(planned=3, attempted=3, accepted=3, received=1, opened=1, clicked=1)


@pytest.mark.parametrize(
    ("kind", "implied"),
    [("received", set()), ("opened", {"received"}), ("dismissed", {"received"}), ("converted", {"received"})],
)
def test_what_a_receipt_implies(
    sent: Message, network: Recorder, report: Callable[..., list[str]], kind: str, implied: set[str]
) -> None:
    report({"token": network.pushes[0].receipt, "kind": kind})
    assert {name for name, _at in kinds(sent)} == {kind} | implied


def test_a_replay_changes_nothing(sent: Message, network: Recorder, report: Callable[..., list[str]]) -> None:
    told = {"token": network.pushes[0].receipt, "kind": "opened"}
    later = told | {"at": clock.now().isoformat()}
    assert report(told, told) == ["recorded", "duplicate"]
    before = kinds(sent)
    assert report(told) == report(later) == ["duplicate"]
    assert kinds(sent) == before
    assert counts(sent).opened == 1


def test_a_receipt_that_was_implied_before_is_a_duplicate(
    sent: Message, network: Recorder, report: Callable[..., list[str]]
) -> None:
    token = network.pushes[0].receipt
    assert report({"token": token, "kind": "clicked"}, {"token": token, "kind": "received"}) == ["recorded"] * 2
    assert report({"token": token, "kind": "opened"}) == ["duplicate"]


def test_a_conversion_has_a_worth_in_its_currency(
    sent: Message, network: Recorder, report: Callable[..., list[str]]
) -> None:
    amounts = [("12.50", "EUR"), (7, "EUR"), ("1000", "JPY")]
    reports = [
        {"token": push.receipt, "kind": "converted", "amount": amount, "currency": currency}
        for push, (amount, currency) in zip(network.pushes, amounts, strict=True)
    ]
    assert report(*reports) == ["recorded"] * 3
    assert counts(sent).revenue == {"EUR": Decimal("19.5"), "JPY": Decimal(1000)}
    assert counts(sent).converted == 3


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"kind": "seen"}, "kind_unknown"),
        ({}, "kind_unknown"),
        ({"kind": ["opened"]}, "kind_unknown"),
        ({"kind": "opened", "when": 1}, "unknown_field"),
        ({"kind": "opened", "at": "yesterday"}, "at_invalid"),
        ({"kind": "opened", "at": 1e300}, "at_invalid"),
        ({"kind": "opened", "amount": 1}, "amount_unexpected"),
        ({"kind": "converted", "amount": 1}, "currency_invalid"),
        ({"kind": "converted", "currency": "EUR"}, "currency_invalid"),
        ({"kind": "converted", "amount": 1, "currency": "euro"}, "currency_invalid"),
        ({"kind": "converted", "amount": -1, "currency": "EUR"}, "amount_invalid"),
        ({"kind": "converted", "amount": "NaN", "currency": "EUR"}, "amount_invalid"),
        ({"kind": "converted", "amount": "1e400", "currency": "EUR"}, "amount_invalid"),
        ({"kind": "converted", "amount": "0.00001", "currency": "EUR"}, "amount_invalid"),
        ({"kind": "converted", "amount": True, "currency": "EUR"}, "amount_invalid"),
    ],
)
def test_a_bad_receipt_says_why_and_stops_no_other(
    sent: Message, network: Recorder, report: Callable[..., list[str]], told: dict[str, object], code: str
) -> None:
    good = {"token": network.pushes[1].receipt, "kind": "received"}
    assert report({"token": network.pushes[0].receipt} | told, good) == [code, "recorded"]
    assert counts(sent).received == 1


@pytest.mark.parametrize("told", [None, 1, "opened", [], {"kind": "opened"}, {"token": "x" * 40, "kind": "opened"}])
def test_what_has_no_token_of_ours_is_refused(
    sent: Message, network: Recorder, report: Callable[..., list[str]], told: object
) -> None:
    assert report(told) == ["token_invalid"]
    assert counts(sent).received == 0


@pytest.mark.parametrize(
    "off", [timedelta(days=-31), timedelta(days=400), timedelta(seconds=5)], ids=["too old", "next year", "ahead"]
)
def test_a_clock_that_is_off_says_nothing(
    sent: Message, network: Recorder, report: Callable[..., list[str]], off: timedelta
) -> None:
    before = clock.now()
    milliseconds = (before + off).timestamp() * 1_000
    assert report({"token": network.pushes[0].receipt, "kind": "received", "at": milliseconds}) == ["recorded"]
    assert before - timedelta(seconds=1) <= kinds(sent)[0][1].astimezone(UTC) <= clock.now() + timedelta(seconds=5)


def test_another_tenants_delivery_is_as_unknown_as_nobodys(
    sent: Message, other_application: Application, network: Recorder
) -> None:
    with tenant_scope(sent.tenant_id):
        row = Delivery.objects.of(sent.tenant_id).filter(message=sent).first()
    assert row is not None
    with tenant_scope(other_application.tenant):
        told = [
            {"delivery_id": row.public_id, "kind": "opened"},
            {"token": network.pushes[0].receipt, "kind": "opened"},
        ]
        results = record_reports(application=other_application, reports=told)
        smuggled = record_receipts(
            tenant_id=other_application.tenant_id, receipts=[ReceiptIn(row.pk, Kind.OPENED, clock.now())]
        )
    assert [result.problem and result.problem.code for result in [*results, *smuggled]] == [
        "delivery_unknown", "token_invalid", "delivery_unknown",
    ]  # fmt: skip
    assert counts(sent).opened == 0


def test_a_late_receipt_of_an_erased_person_is_dropped_and_the_sums_stay_those_of_the_rows(
    sent: Message, application: Application, network: Recorder, report: Callable[..., list[str]]
) -> None:
    told = {"token": network.pushes[0].receipt, "kind": "opened"}
    assert report(told) == ["recorded"]
    with tenant_scope(application.tenant):
        person = Subscriber.objects.in_application(application).named("person-0000")
        erase_subscriber(tenant=application.tenant, subscriber=person, actor="test")
        assert Receipt.objects.of(application.tenant).filter(subscriber=person.pk).count() == 0
    assert report(told | {"kind": "clicked"}) == ["delivery_unknown"]
    assert counts(sent).opened == 1
    assert counts(sent).clicked == 0


def test_who_has_reported_is_known_by_person(sent: Message, application: Application, network: Recorder) -> None:
    record_signed_reports(reports=[{"token": network.pushes[1].receipt, "kind": "received"}])
    with tenant_scope(application.tenant):
        numbers = dict(Subscriber.objects.in_application(application).values_list("external_id", "pk"))
        assert people_with_receipts(sent, numbers.values()) == {numbers["person-0001"]}


def test_folding_changes_no_sum(application: Application, network: Recorder) -> None:
    message = send_to(application, make_people(application, 30))
    for position, push in enumerate(network.pushes):
        told = {"token": push.receipt, "kind": "converted", "amount": position + 1, "currency": "EUR"}
        record_signed_reports(reports=[told])
    before = counts(message)
    assert before.revenue == {"EUR": Decimal(465)}
    assert fold_tallies() == 2
    assert counts(message) == before
    with tenant_scope(application.tenant):
        assert ReceiptTally.objects.of(application.tenant).count() == 2
    assert fold_tallies() == 0
