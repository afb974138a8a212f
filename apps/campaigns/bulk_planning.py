"""Planning a page of people of whom nothing but their common facts is asked, without reading them one by one.

The page is written down in a temporary table, because between two looks at the audience somebody may change or come.
The planner is asked once per combination of facts; the rows are written by the database.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import connection

from apps.audience.models import SubscriberQuerySet
from apps.campaigns.deciding import Decider, people_in
from apps.campaigns.models import CampaignRun
from apps.campaigns.planner import Decision, Facts, Rules, Suppressed
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.steps import Verdict
from apps.messaging.ledger.tallies import Tally
from apps.messaging.sending.strategies import first_routes

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS campaigns_page (
    subscriber_id bigint, language text, timezone text, refuses boolean, is_off boolean
) ON COMMIT DELETE ROWS
"""
_ALIKE = """
SELECT language, timezone, refuses, is_off, count(*), max(subscriber_id) FROM campaigns_page GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
"""
#: Each of the page with the number of its verdict.
_SOURCE = """
SELECT page.subscriber_id, alike.verdict FROM campaigns_page page JOIN unnest(
    %(languages)s::text[], %(timezones)s::text[], %(refuses)s::boolean[], %(are_off)s::boolean[], %(verdicts)s::int[]
) AS alike (language, timezone, refuses, is_off, verdict) USING (language, timezone, refuses, is_off)
"""


def plan_page(
    run: CampaignRun, audience: SubscriberQuerySet, rules: Rules, decider: Decider, *, chunk: int, page: int
) -> bool:
    """The next `page` people after the run's cursor, and the cursor behind them. Answers whether there may be more."""
    people = people_in(audience, rules).filter(pk__gt=run.cursor, pk__lte=run.until).order_by("pk")[:page]
    groups = _staged(people)
    if not groups and run.chunk_count:
        return False
    counts: dict[Verdict, int] = {}
    places = []
    tally = Tally(run.tenant_id, run.message_id)
    for *facts, count, _last in groups:
        [(decision, _all)] = decider.decide_alike(Facts(*facts), count)
        verdict = _verdict(decision)
        counts[verdict] = counts.get(verdict, 0) + count
        places.append(list(counts).index(verdict))
        _count(tally, facts[0], count, verdict, run)
    names = ("languages", "timezones", "refuses", "are_off")
    columns = {name: [group[at] for group in groups] for at, name in enumerate(names)}
    for route in first_routes(run.message.strategy, run.message.routes):
        planned = ledger.plan_selected(
            tenant_id=run.tenant_id, message_id=run.message_id, number=run.chunk_count, route=route, due_at=run.due_at,
            counts=counts, chunk=chunk, source=_SOURCE, parameters={**columns, "verdicts": places},
        )  # fmt: skip
    run.chunk_count += planned
    tally.write()
    if sum(counts.values()) < page:
        return False
    run.cursor = max(last for *_facts, last in groups)
    return True


def _count(tally: Tally, language: str, people: int, verdict: Verdict, run: CampaignRun) -> None:
    for route in first_routes(run.message.strategy, run.message.routes):
        add = partial(tally.add, languages=[language], route=route, times=people)
        add("planned", at=verdict.due_at or run.due_at)
        if verdict.reason:
            add("suppressed", at=run.due_at, reason=verdict.reason)


def _staged(people: Any) -> list[tuple[Any, ...]]:
    """Each combination of facts in the page, how many have it, and the last of them."""
    sql, parameters = people.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute("DELETE FROM campaigns_page")  # an earlier page of the same transaction
        cursor.execute(f"INSERT INTO campaigns_page {sql}", parameters)  # the ORM's own SQL
        cursor.execute(_ALIKE)
        groups: list[tuple[Any, ...]] = cursor.fetchall()
    return groups


def _verdict(decision: Decision) -> Verdict:
    """Without the language, which is chosen again when the words are rendered."""
    if isinstance(decision, Suppressed):
        return Verdict(reason=decision.reason.value)
    return Verdict(decision.due_at, decision.expires_at)
