"""Reads of the audience that the doors, messaging and campaigns share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Exists, Func, OuterRef, Q, QuerySet, TextField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audience.errors import AudienceInvalid
from apps.audience.events import EventPosition
from apps.audience.models import (
    BehaviourEvent,
    Device,
    OptOut,
    Segment,
    Subscriber,
    SubscriberAlias,
    SubscriberQuerySet,
)
from apps.audience.segment_query import World, condition, sampled
from apps.audience.services.segments import read_rules
from apps.audience.values import ValueProblem, read_alias, read_alias_label, read_external_id
from apps.core import clock
from apps.core.errors import NotFound
from apps.realtime.queries import online_users
from apps.tenants.models import Application, Tenant, TenantQuerySet

MAX_EXTERNAL_IDS = 20_000


def audience_of(*, tenant: Tenant, application: Application, audience: object) -> SubscriberQuerySet:
    """The subscribers that `audience` means, unordered.

    audience: `{"all": true}` | `{"segment_id": "seg_…"}` | `{"external_ids": [… at most 20,000]}` |
    `{"aliases": {"crm": [… at most 20,000]}}`, of one label. A name that nobody has is simply not in the answer. Raises
    AudienceInvalid, also for a segment that is gone or of another application. One query reads the segment; the answer
    itself is lazy.
    """
    assert application.tenant_id == tenant.pk
    everyone = Subscriber.objects.in_application(application)
    if not isinstance(audience, Mapping) or len(audience) != 1:
        raise _refusal(_KINDS)
    [(kind, value)] = audience.items()
    if kind == "all" and value is True:
        return everyone
    if kind == "segment_id":
        return matching(application=application, rules=_segment(application, value).rules)
    if kind == "external_ids":
        return everyone.filter(external_id__in=_external_ids(value))
    if kind == "aliases":
        return with_alias(everyone, *_aliases(value))
    raise _refusal(_KINDS)


#: What is said of an audience of no known kind.
_KINDS = gettext_lazy("An audience is one of “all”, “segment_id”, “external_ids” or “aliases”.")


def with_alias(people: SubscriberQuerySet, label: str, names: Iterable[str]) -> SubscriberQuerySet:
    """Those of the people who have one of these names under this label."""
    named = SubscriberAlias.objects.get_queryset().filter(
        tenant_id=OuterRef("tenant_id"), application_id=OuterRef("application_id"), subscriber_id=OuterRef("pk"),
        label=label, value__in=list(names),
    )  # fmt: skip
    return people.filter(Exists(named))


def _aliases(value: object) -> tuple[str, list[str]]:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise _refusal(_("Give the aliases of one label."))
    [(label, names)] = value.items()
    try:
        known = read_alias_label(label)
        if not isinstance(names, list | tuple) or not 0 < len(names) <= MAX_EXTERNAL_IDS:
            raise _refusal(_("Give a list of 1 to 20,000 aliases."))
        return known, [name for one in names if (name := read_alias(known, one)) is not None]
    except ValueProblem as problem:
        raise _refusal(problem.message) from None


def matching(*, application: Application, rules: object, share: int = 1) -> SubscriberQuerySet:
    """The subscribers a rule tree holds for. Raises SegmentRulesInvalid; BrokerUnavailable when a rule asks who is
    online and nobody can tell. share: ask only about one of so many people (a power of two)."""
    rule = read_rules(rules)
    _make_room_for_hashing()
    world = World(application, clock.now(), partial(_online, application), share)
    people = Subscriber.objects.in_application(application)
    return (people if share == 1 else people.filter(sampled("id", share))).filter(condition(rule, world))


def _online(application: Application) -> set[str]:
    region = Tenant.objects.get(pk=application.tenant_id).home_region
    return online_users(region=region, application_id=application.application_id)


def _make_room_for_hashing() -> None:
    """For the rest of the transaction. With too little memory PostgreSQL goes through the people of an event once per
    subscriber instead of looking them up."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")


def find_subscribers(
    *, tenant: Tenant, application: Application, search: str = "", tag: str = "", segment_id: str = "", alias: str = ""
) -> SubscriberQuerySet:
    """What both doors list: by the beginning of the external id, a tag, a segment, an alias (`label:value`). Raises
    AudienceInvalid."""
    audience = {"segment_id": segment_id} if segment_id else {"all": True}
    found = audience_of(tenant=tenant, application=application, audience=audience)
    if search:
        found = found.starting_with(search)
    if tag:
        found = found.filter(tags__contains=[tag.replace("\0", "")])
    if alias:
        label, _colon, name = alias.replace("\0", "").partition(":")
        found = with_alias(found, label, [name])
    return found


def _segment(application: Application, public_id: Any) -> Segment:
    try:
        segments = Segment.objects.of(application.tenant_id).filter(application=application)
        return segments.access(str(public_id))
    except NotFound:
        raise _refusal(_("This segment does not exist.")) from None


def _external_ids(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_EXTERNAL_IDS:
        raise _refusal(_("Give a list of 1 to 20,000 external ids."))
    try:
        return [read_external_id(one) for one in value]
    except ValueProblem as problem:
        raise _refusal(problem.message) from None


def _refusal(sentence: Any) -> AudienceInvalid:
    return AudienceInvalid(sentence, fields={"audience": [sentence]})


def attribute_names(*, application: Application, newest: int | None = None) -> list[str]:
    """The names of attributes in use, sorted, at most 500. newest: look only at so many of the newest subscribers."""
    people = Subscriber.objects.in_application(application)
    if newest is not None:
        people = people.filter(pk__in=list(people.order_by("-pk").values_list("pk", flat=True)[:newest]))
    name = Func("attributes", function="jsonb_object_keys", output_field=TextField())
    return sorted(people.order_by().annotate(name=name).values_list("name", flat=True).distinct()[:500])


def find_devices(*, application: Application, external_id: str = "", provider: str = "") -> TenantQuerySet[Device]:
    """The application's devices with their people, retired ones too; of one person, or reached by one route."""
    found = Device.objects.of(application.tenant_id).filter(application=application).select_related("subscriber")
    if external_id:
        found = found.filter(subscriber__external_id=external_id.replace("\0", ""))
    return found.filter(provider=provider.replace("\0", "")) if provider else found


def opted_out(*, application: Application, category: str = "") -> QuerySet[OptOut, int]:
    """The row numbers of the subscribers who want nothing at all, or nothing of this category (its key)."""
    refused = OptOut.objects.of(application.tenant_id).filter(subscriber__application=application)
    theirs = Q(category=None) | Q(category__key=category) if category else Q(category=None)
    return refused.filter(theirs).values_list("subscriber_id", flat=True)


def refusal(category: str | None = None) -> Exists:
    """A condition on Subscriber: wants nothing at all, or nothing of this category (its key)."""
    said = OptOut.objects.get_queryset().filter(tenant_id=OuterRef("tenant_id"), subscriber_id=OuterRef("pk"))
    return Exists(said.filter(category=None) if category is None else said.filter(category__key=category))


def refusals(*, tenant_id: int, people: Iterable[int], category: str) -> dict[int, bool]:
    """Row number of each of these people who does not want it -> whether they want nothing at all."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUSALS, {"tenant": tenant_id, "people": list(people), "category": category})
        return dict(cursor.fetchall())


def timeline_of(
    *, person: Subscriber, below: EventPosition | None = None, limit: int
) -> tuple[list[BehaviourEvent], EventPosition | None]:
    """The person's events, newest first, and where the next page starts. below: where the page before ended."""
    events = list(BehaviourEvent.objects.of_person(person).newest_first(below=below)[: limit + 1])
    return events[:limit], events[limit - 1].position if len(events) > limit else None


def event_names(*, application: Application) -> list[str]:
    """The names of events in use, sorted, at most 200. Walks from name to name through the index, not over events."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENT_NAMES, {"tenant": application.tenant_id, "application": application.pk})
        return [name for (name,) in cursor.fetchall()]


#: One array instead of a place for each of the people: it is asked for every slice of every campaign.
_REFUSALS = """
SELECT subscriber_id, bool_or(category_id IS NULL)
FROM audience_optout AS said LEFT JOIN audience_preferencecategory AS category ON category.id = said.category_id
WHERE said.tenant_id = %(tenant)s AND subscriber_id = ANY(%(people)s)
    AND (category_id IS NULL OR category.key = NULLIF(%(category)s, ''))
GROUP BY subscriber_id
"""

_EVENT_NAMES = """
WITH RECURSIVE names AS (
    (SELECT name FROM audience_event WHERE tenant_id = %(tenant)s AND application_id = %(application)s
     ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT next.name FROM audience_event AS next WHERE tenant_id = %(tenant)s
            AND application_id = %(application)s AND next.name > names.name ORDER BY next.name LIMIT 1)
    FROM names WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL LIMIT 200
"""
