"""Behaviour events: recorded once each, bounded, forgotten by age and with the person."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections

from apps.audience.errors import EventBatchTooLarge, EventInvalid
from apps.audience.events import IDS_KEPT, MESSAGES, NEWEST, OLDEST, EventPosition, read_event
from apps.audience.models import BehaviourEvent, BehaviourEventKey, Subscriber
from apps.audience.queries import event_names, timeline_of
from apps.audience.services.events import forget_old_events, record_event, record_events
from apps.audience.services.subscribers import erase_subscriber, upsert_subscriber
from apps.audience.values import ValueProblem
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _event(**given: Any) -> dict[str, Any]:
    return {"external_id": "ada", "name": "purchase", **given}


def _outcomes(tenant: Tenant, application: Application, *events: object) -> list[tuple[str, str | None]]:
    results = record_events(tenant=tenant, application=application, events=events)
    return [(result.status, result.problem.code if result.problem else None) for result in results]


def _names(application: Application, external_id: str = "ada") -> list[str]:
    person = Subscriber.objects.in_application(application).named(external_id)
    return [event.name for event in timeline_of(person=person, limit=50)[0]]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"id": ""}, "event_id_invalid", "id"),
        ({"id": "é"}, "event_id_invalid", "id"),
        ({"id": "x" * 129}, "event_id_invalid", "id"),
        ({"external_id": ""}, "external_id_missing", "external_id"),
        ({"name": ""}, "event_name_invalid", "name"),
        ({"name": "a\nb"}, "event_name_invalid", "name"),
        ({"name": "n" * 65}, "event_name_invalid", "name"),
        ({"name": "\ud800"}, "event_name_invalid", "name"),
        ({"occurred_at": "yesterday"}, "occurred_at_invalid", "occurred_at"),
        ({"occurred_at": "2026-11-23T12:00:00"}, "occurred_at_invalid", "occurred_at"),
        ({"occurred_at": "2026-02-30T12:00:00Z"}, "occurred_at_invalid", "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at_invalid", "occurred_at"),
        ({"occurred_at": 5}, "occurred_at_invalid", "occurred_at"),
        ({"occurred_at": str(NOW - OLDEST - timedelta(seconds=1))}, "occurred_at_too_old", "occurred_at"),
        ({"occurred_at": str(NOW + NEWEST + timedelta(seconds=1))}, "occurred_at_in_the_future", "occurred_at"),
        ({"properties": []}, "properties_invalid", "properties"),
        ({"properties": {"": 1}}, "property_name_invalid", "properties"),
        ({"properties": {"x": float("nan")}}, "property_value_invalid", "properties.x"),
        ({"properties": {str(n): n for n in range(51)}}, "too_many_properties", "properties"),
        ({"properties": {"x": "y" * 4_100}}, "properties_too_large", "properties"),
        ({"colour": "red"}, "unknown_field", "colour"),
    ],
)  # fmt: skip
def test_a_bad_event_is_refused_with_its_field(changes: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(ValueProblem) as refused:
        read_event(_event(**changes), now=NOW)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert str(MESSAGES[code])


@pytest.mark.parametrize("moment", [NOW - OLDEST, NOW, NOW + NEWEST])
def test_the_window_includes_its_ends(moment: datetime) -> None:
    assert read_event(_event(occurred_at=moment.isoformat()), now=NOW).occurred_at == moment


@pytest.mark.parametrize("cursor", ["", "x", "=", "bm90IGEgdGltZQ", "2026", "é"])
def test_what_is_no_cursor_is_not_read_as_one(cursor: str) -> None:
    assert EventPosition.decode(cursor) is None


def test_each_event_of_a_batch_has_its_own_result(scope: Tenant, application: Application) -> None:
    record_events(tenant=scope, application=application, events=[_event(id="known")])

    assert _outcomes(
        scope, application,
        _event(id="a"), _event(id="a"), _event(id="a", name="other"), _event(id="known"), _event(), _event(),
        5, _event(external_id="new-person", id="b"),
    ) == [
        ("recorded", None), ("duplicate", None), ("rejected", "event_id_reused"), ("duplicate", None),
        ("recorded", None), ("recorded", None), ("rejected", "event_not_an_object"), ("recorded", None),
    ]  # fmt: skip
    assert len(_names(application)) == 4
    assert _names(application, "new-person") == ["purchase"]


def test_one_alone_is_refused_with_an_error_and_a_huge_batch_too(scope: Tenant, application: Application) -> None:
    with pytest.raises(EventInvalid) as refused:
        record_event(tenant=scope, application=application, event=_event(name=""))
    with pytest.raises(EventBatchTooLarge):
        record_events(tenant=scope, application=application, events=[_event()] * 1_001)

    assert refused.value.details["problem"] == "event_name_invalid"
    assert not Subscriber.objects.in_application(application).exists()


def test_a_known_person_is_not_changed_by_an_event(scope: Tenant, application: Application) -> None:
    known, _created = upsert_subscriber(
        tenant=scope, application=application, person={"external_id": "ada", "tags": ["vip"]}
    )
    record_events(tenant=scope, application=application, events=[_event()])

    again = Subscriber.objects.in_application(application).named("ada")
    assert (again.pk, again.tags, again.updated_at) == (known.pk, ["vip"], known.updated_at)


def test_a_repeat_with_another_time_counts_once(scope: Tenant, application: Application) -> None:
    with time_machine.travel(NOW, tick=False):
        first = _outcomes(scope, application, _event(id="a", occurred_at="2026-11-01T00:00:00Z"))
    with time_machine.travel(NOW + timedelta(days=12), tick=False):
        second = _outcomes(scope, application, _event(id="a"))

    assert (first, second) == ([("recorded", None)], [("duplicate", None)])
    assert _names(application) == ["purchase"]


def test_ids_of_two_applications_do_not_meet(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    with tenant_scope(other_tenant):
        assert _outcomes(other_tenant, other_application, _event(id="a", name="theirs")) == [("recorded", None)]
    with tenant_scope(tenant):
        assert _outcomes(tenant, application, _event(id="a")) == [("recorded", None)]
        assert _names(application) == ["purchase"]
        assert event_names(application=application) == ["purchase"]


def test_old_months_and_ids_are_forgotten_and_a_late_repeat_is_too_old(
    tenant: Tenant, application: Application, as_worker: None
) -> None:
    old = _event(id="old", occurred_at="2024-03-05T00:00:00Z")
    with time_machine.travel(datetime(2024, 3, 6, tzinfo=UTC), tick=False), tenant_scope(tenant):
        assert _outcomes(tenant, application, old) == [("recorded", None)]
    with time_machine.travel(datetime(2024, 3, 6, tzinfo=UTC) + IDS_KEPT + timedelta(hours=1), tick=False):
        forget_old_events()
        with tenant_scope(tenant):
            assert not BehaviourEventKey.objects.of(tenant).exists()
            assert _outcomes(tenant, application, old) == [("rejected", "occurred_at_too_old")]
            assert _names(application) == ["purchase"]
    with time_machine.travel(datetime(2025, 5, 1, tzinfo=UTC), tick=False):
        forget_old_events()
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('audience_event_2024_03')")
        assert cursor.fetchone() == (None,)
        assert _names(application) == []


def test_the_timeline_pages_through_events_of_one_instant(scope: Tenant, application: Application) -> None:
    with time_machine.travel(NOW, tick=False):
        same = [_event(id=f"e{n}", occurred_at=NOW.isoformat()) for n in range(5)]
        record_events(
            tenant=scope,
            application=application,
            events=[*same, _event(id="later", occurred_at="2026-11-23T12:01:00Z")],
        )
    person = Subscriber.objects.in_application(application).named("ada")
    seen, below = [], None
    while True:
        events, below = timeline_of(person=person, below=below, limit=2)
        seen += [event.event_id for event in events]
        if below is None:
            break
        below = EventPosition.decode(below.encode())

    assert seen == ["later", "e4", "e3", "e2", "e1", "e0"]


def test_erasing_takes_the_events_along_and_a_repeat_does_not_bring_them_back(
    scope: Tenant, application: Application
) -> None:
    record_events(tenant=scope, application=application, events=[_event(id="a"), _event(external_id="bob", id="b")])
    erase_subscriber(
        tenant=scope, subscriber=Subscriber.objects.in_application(application).named("ada"), actor="system"
    )

    assert [event.event_id for event in BehaviourEvent.objects.of(scope)] == ["b"]
    assert _outcomes(scope, application, _event(id="a")) == [("duplicate", None)]


@pytest.mark.django_db(transaction=True)
def test_of_two_senders_at_once_one_counts(tenant: Tenant, application: Application) -> None:
    outcomes: list[tuple[str, str | None]] = []
    barrier = threading.Barrier(2)

    def send() -> None:
        try:
            barrier.wait(10)
            with tenant_scope(tenant):
                outcomes.extend(_outcomes(tenant, application, _event(id="a"), _event(id="b", external_id="bob")))
        finally:
            connections.close_all()

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(20)

    assert sorted(outcomes) == [("duplicate", None)] * 2 + [("recorded", None)] * 2
    with tenant_scope(tenant):
        assert _names(application) == ["purchase"]
