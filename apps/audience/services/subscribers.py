"""Creating, changing and forgetting subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.audience.errors import BatchTooLarge, SubscriberInvalid
from apps.audience.models import BehaviourEvent, Subscriber
from apps.audience.services.merging import Merged, Outcome, merge_subscribers
from apps.audience.values import SubscriberIn, ValueProblem, read_subscriber
from apps.tenants.models import Application, Tenant
from apps.tenants.services import record_audit

MAX_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of a batch, in the order of the batch. status: created, updated or rejected."""

    external_id: str
    status: str
    problem: ValueProblem | None = None


def upsert_subscriber(*, tenant: Tenant, application: Application, person: object) -> tuple[Subscriber, bool]:
    """Creates the subscriber or lays what is given over what is known. Returns the row and whether it is new.

    person: `{external_id, attributes, tags, language, timezone, aliases}`; an attribute or alias that is None is
    removed. Raises
    SubscriberInvalid.
    """
    [result] = upsert_subscribers_in_bulk(tenant=tenant, application=application, people=[person])
    if result.problem is not None:
        raise SubscriberInvalid(
            result.problem.message,
            fields={result.problem.field: [result.problem.message]},
            details={"problem": result.problem.code},
        )
    subscriber = Subscriber.objects.in_application(application).named(result.external_id)
    return subscriber, result.status == Merged.CREATED


def upsert_subscribers_in_bulk(
    *, tenant: Tenant, application: Application, people: Sequence[object]
) -> list[ItemResult]:
    """At most 1,000 people, each as in `upsert_subscriber`. A bad one is reported and does not stop the others.

    Somebody who is named twice gets both, in order. Raises BatchTooLarge.
    """
    assert application.tenant_id == tenant.pk
    if len(people) > MAX_BATCH:
        raise BatchTooLarge(details={"limit": MAX_BATCH, "given": len(people)})
    batch = Batch()
    readings = [_read(person, batch) for person in people]
    merged = merge_subscribers(application=application, people=batch.people)
    return [_result(reading, merged) for reading in readings]


class Batch:
    """People by external id; what is said twice about one person is folded together, because one INSERT may not
    meet the same row twice."""

    def __init__(self) -> None:
        self._by_id: dict[str, SubscriberIn] = {}

    def add(self, person: SubscriberIn) -> bool:
        """False when the person was in the batch already. Raises ValueProblem when both together are too large."""
        known = self._by_id.get(person.external_id)
        self._by_id[person.external_id] = person if known is None else known.followed_by(person)
        return known is None

    @property
    def people(self) -> list[SubscriberIn]:
        return list(self._by_id.values())


@dataclass(frozen=True, slots=True)
class _Reading:
    external_id: str
    is_first: bool = False
    problem: ValueProblem | None = None


def _read(raw: object, batch: Batch) -> _Reading:
    try:
        person = read_subscriber(raw)
        return _Reading(person.external_id, is_first=batch.add(person))
    except ValueProblem as problem:
        return _Reading(_named_in(raw), problem=problem)


def _named_in(raw: object) -> str:
    """What a refused item called itself, cut short: it goes back to the caller and is not trusted."""
    name = raw.get("external_id") if isinstance(raw, dict) else None
    return name[:128] if isinstance(name, str) else ""


def _result(reading: _Reading, merged: dict[str, Outcome]) -> ItemResult:
    outcome = None if reading.problem else merged[reading.external_id]
    problem = reading.problem if outcome is None else outcome.problem
    if outcome is None or problem is not None:
        return ItemResult(reading.external_id, Merged.REJECTED, problem)
    return ItemResult(reading.external_id, outcome.merged if reading.is_first else Merged.UPDATED)


def erase_subscriber(*, tenant: Tenant, subscriber: Subscriber, actor: str) -> None:
    """Forgets the person for good. The audit log keeps that it happened, by the opaque id and nothing else.

    actor: as in `record_audit`. Reports of imports may still quote the person; they go after 30 days.
    """
    Subscriber.objects.of(tenant).filter(pk=subscriber.pk).delete()
    # Only now: the row's lock has waited for whoever was just recording events of this person.
    BehaviourEvent.objects.of_person(subscriber).delete()
    record_audit(tenant=tenant, actor=actor, action="subscriber.erased", target=subscriber.public_id)
