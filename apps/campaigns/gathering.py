"""The people of a run whose rules ask about events or presence, written down once.

Asked page by page such rules would cost a pass over the events for each page, and answer for another moment each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection

from apps.audience.models import Subscriber, SubscriberQuerySet
from apps.audience.queries import matching
from apps.audience.segments import Leaf, Rule, parse
from apps.campaigns.models import CampaignRun, GatheredPerson
from apps.core import clock

_MOVING = frozenset({"event", "presence"})


def is_gathered_first(audience: Mapping[str, Any]) -> bool:
    """audience: a run's, with its rules written out."""
    return "rules" in audience and _asks_what_moves(parse(audience["rules"]))


def _asks_what_moves(rule: Rule) -> bool:
    if isinstance(rule, Leaf):
        return rule.field in _MOVING
    return any(_asks_what_moves(inner) for inner in rule.rules)


def gather(run: CampaignRun) -> None:
    """Once per run, in the transaction of its first page. 8 bytes and an index entry each."""
    people = matching(application=run.message.application, rules=run.audience["rules"])
    sql, parameters = people.filter(pk__lte=run.until).order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_gatheredperson (tenant_id, run_id, subscriber_id) "  # noqa: S608  # the ORM's own SQL
            f"SELECT %s, %s, people.pk FROM ({sql}) AS people",
            [run.tenant_id, run.pk, *parameters],
        )
    run.changed(gathered_at=clock.now())


def gathered(run: CampaignRun) -> SubscriberQuerySet:
    """Those of them who are still there."""
    everybody = Subscriber.objects.in_application(run.message.application)
    return everybody.filter(pk__in=GatheredPerson.objects.of(run.tenant_id).filter(run=run).values("subscriber_id"))


def let_go(run: CampaignRun, *, up_to: int) -> None:
    """Forgets who is planned."""
    GatheredPerson.objects.of(run.tenant_id).filter(run=run, subscriber_id__lte=up_to).delete()
