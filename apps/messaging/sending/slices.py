"""A slice: the deliveries that are in flight together. Rendering it, and turning its outcomes into ledger entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from random import uniform
from time import perf_counter
from typing import NamedTuple

from django.conf import settings

from apps.core import clock
from apps.messaging.content.rendering import CompiledContent, RenderFailed
from apps.messaging.ledger.states import DeliveryState, Reason
from apps.messaging.ledger.steps import MAX_ATTEMPTS
from apps.messaging.models import Delivery, Message
from apps.messaging.receipts.clicks import tracked
from apps.messaging.receipts.following import follow_up_of
from apps.messaging.receipts.tokens import tokens_for
from apps.messaging.sending.recipients import Recipient, push_id, recipients_by_number, variables_for
from apps.messaging.sending.strategies import steps_on
from apps.providers.base import Notification, Outcome, Push, Result, Scope
from apps.providers.registry import needs_of

#: A crash makes at most one slice per worker unknown; most routes take fewer (Needs.at_once).
SLICE = 1_000
#: Seconds of rendering after which a slice is sent as far as it got: slow templates must not outlive the lease.
_RENDERING_TIME = 2.0

_FINAL = {
    Result.ACCEPTED: DeliveryState.ACCEPTED,
    Result.REJECTED: DeliveryState.REJECTED,
    Result.UNREGISTERED: DeliveryState.UNREGISTERED,
    Result.UNKNOWN: DeliveryState.UNKNOWN,
}


class Planned(NamedTuple):
    """A delivery about to be sent."""

    id: int
    subscriber: int
    route: str
    attempts: int


@dataclass(slots=True)
class Slice:
    """ready: deliveries and their pushes, in the same order. refused: deliveries that end unsent, by reason.

    expires_at: when they are worth nothing any more. languages: of the people, by delivery. newcomers_of: meters of
    different people or devices that something limits.
    """

    ready: list[Planned] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    refused: dict[Reason, list[int]] = field(default_factory=lambda: defaultdict(list))
    expires_at: datetime | None = None
    languages: dict[int, str] = field(default_factory=dict)
    newcomers_of: set[str] = field(default_factory=set)

    def keep(self, count: int) -> None:
        """The first `count` deliveries; the rest stay planned."""
        del self.ready[count:], self.pushes[count:]

    @property
    def route(self) -> str:
        return self.ready[0].route

    def languages_of(self, ids: Iterable[int]) -> Iterator[str]:
        return (self.languages.get(id, "") for id in ids)

    def refuse_people(self, people: Set[int], reason: Reason) -> None:
        """Takes out what is for these (row numbers)."""
        if not people:
            return
        pairs = list(zip(self.ready, self.pushes, strict=True))
        self.refused[reason].extend(delivery.id for delivery in self.ready if delivery.subscriber in people)
        self.ready = [delivery for delivery, _push in pairs if delivery.subscriber not in people]
        self.pushes = [push for delivery, push in pairs if delivery.subscriber not in people]

    @property
    def first_attempts(self) -> int:
        return sum(not delivery.attempts for delivery in self.ready)


def read_slice(tenant_id: int, chunk_id: int) -> tuple[list[Planned], dict[int, Recipient]]:
    """The next planned deliveries of a chunk and the people they are for. One route at a time: a chunk has one."""
    rows = (
        Delivery.objects.of(tenant_id)
        .filter(chunk_id=chunk_id, state=DeliveryState.PLANNED)
        .order_by("id")
        .values_list("id", "subscriber_id", "route", "attempts")[:SLICE]
    )
    planned = [Planned(*row) for row in rows]
    if planned:
        del planned[needs_of(planned[0].route).at_once :]
    return planned, recipients_by_number(tenant_id, (delivery.subscriber for delivery in planned))


def render_slice(
    message: Message, content: CompiledContent, planned: Sequence[Planned], people: dict[int, Recipient]
) -> Slice:
    """Renders in memory, as many as there is time for; the rest stay planned for the next slice."""
    made, started, now = Slice(), perf_counter(), clock.now()
    message_id = message.public_id
    counts_clicks = follow_up_of(message.follow_up).track_clicks
    receipts = tokens_for(message.tenant_id, [delivery.id for delivery in planned])
    for delivery, receipt in zip(planned, receipts, strict=True):
        person = people.get(delivery.subscriber)
        if person is None:
            made.refused[Reason.NOT_IN_AUDIENCE].append(delivery.id)
            continue
        language = content.language_for(person.language, message.default_language)
        try:
            notification = content.render(language, variables_for(person, message))
        except RenderFailed:
            made.refused[Reason.TEMPLATE_ERROR].append(delivery.id)
            continue
        if counts_clicks:
            notification = _counted(notification, message.tenant_id, receipt)
        identity = push_id(message.pk, person.number)
        made.ready.append(delivery)
        made.pushes.append(
            Push(
                identity, person.external_id, notification, message_id, message.origin, now,
                urgent=message.is_urgent, collapse_key=message.collapse_key, language=language, receipt=receipt,
            )
        )  # fmt: skip
        if perf_counter() - started > _RENDERING_TIME:
            break
    return made


def _counted(notification: Notification, tenant_id: int, receipt: str) -> Notification:
    """With links that note the click, and of a button its name."""
    link = partial(tracked, settings.PUBLIC_URL, tenant_id, receipt)
    buttons = tuple(replace(one, url=link(one.url, button=one.action)) for one in notification.buttons)
    return replace(notification, url=link(notification.url), buttons=buttons)


@dataclass(slots=True)
class Verdict:
    """A slice's outcomes, sorted for the ledger.

    final: deliveries by (state, reason). later: those to try again. next_route: subscribers to try another way.
    reached: subscribers whom the network took it for. wait: seconds until `later` is due.
    """

    final: dict[tuple[DeliveryState, str], list[int]]
    later: list[int]
    next_route: list[int]
    reached: list[int]
    wait: float

    def count(self, *states: DeliveryState) -> int:
        return sum(len(ids) for (state, _), ids in self.final.items() if state in states)


def judge(deliveries: Sequence[Planned], outcomes: Sequence[Outcome], *, at_least_once: bool = False) -> Verdict:
    """Decides by the word and the scope alone. at_least_once: what the tenant wants where nobody knows."""
    final: dict[tuple[DeliveryState, str], list[int]] = defaultdict(list)
    later: list[int] = []
    next_route: list[int] = []
    reached: list[int] = []
    wait = 0.0
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        attempts = delivery.attempts + 1
        if _surely_not_processed(outcome) and attempts < MAX_ATTEMPTS:
            later.append(delivery.id)
            wait = max(wait, _backoff(attempts, outcome.retry_after))
            continue
        state = _FINAL.get(outcome.result, DeliveryState.REJECTED)
        final[state, outcome.reason[:64]].append(delivery.id)
        if steps_on(outcome, at_least_once=at_least_once):
            next_route.append(delivery.subscriber)
        elif state is DeliveryState.ACCEPTED:
            reached.append(delivery.subscriber)
    return Verdict(final, later, next_route, reached, wait)


def _surely_not_processed(outcome: Outcome) -> bool:
    refused_sender = outcome.result is Result.REJECTED and outcome.scope is Scope.CREDENTIAL
    return refused_sender or outcome.result in {Result.THROTTLED, Result.UNAVAILABLE}


def _backoff(attempts: int, retry_after: float | None) -> float:
    """Seconds: what the network asked for is a lower bound, with full jitter on top of it."""
    jitter = uniform(0, min(60.0, 2.0**attempts))  # noqa: S311  # spreads load, hides nothing
    return (retry_after or 0.0) + jitter
