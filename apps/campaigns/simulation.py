"""What a campaign would do, without doing it: the planner and the renderer of the send, on the same people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count

from apps.audience.models import Subscriber, SubscriberQuerySet
from apps.audience.queries import refusal
from apps.billing.services.caps import Quote, quote_sends
from apps.campaigns.audiences import audience_of_campaign, unknown_variables
from apps.campaigns.models import Campaign
from apps.campaigns.planner import Due, Facts, Rules, plan
from apps.campaigns.services.scheduling import content_of
from apps.core import clock
from apps.messaging.errors import Fault
from apps.messaging.models import Message
from apps.messaging.recipients import COLUMNS, Recipient, recipient_of, variables_for
from apps.messaging.rendering import CompiledContent, RenderFailed, compile_content
from apps.messaging.states import Reason
from apps.providers.base import Notification

#: People whose notification is really rendered: enough to find what goes wrong, and quick.
RENDERED = 1_000
_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What one person would see. Exactly one of notification and fault is set."""

    external_id: str
    language: str
    notification: Notification | None
    fault: Fault | None


@dataclass(slots=True)
class Simulation:
    """audience: people. planned: those who would be sent to, by language. suppressed: by reason.

    rendered: for how many the words were really made; template errors are counted among these. When `is_exact` they
    are everybody, and the figures are what a send would do now. warnings: variables that nobody has. price: of the
    sends, were all of them accepted.
    """

    audience: int = 0
    planned: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    rendered: int = 0
    samples: list[Preview] = field(default_factory=list)
    faults: list[Preview] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    price: Quote | None = None

    @property
    def is_exact(self) -> bool:
        return self.rendered >= self.planned.total() + self.suppressed[Reason.TEMPLATE_ERROR]

    @property
    def sends(self) -> int:
        return self.planned.total()


def simulate_campaign(campaign: Campaign) -> Simulation:
    """Raises what scheduling would raise about the words and the audience; an empty audience is an answer here."""
    content = compile_content(content_of(campaign))
    audience = audience_of_campaign(campaign)
    result = Simulation(warnings=unknown_variables(content, audience))
    rules = _rules(campaign, content)
    _count(result, audience, rules)
    people = [Recipient(*row) for row in audience.exclude(refusal()).order_by("pk").values_list(*COLUMNS)[:RENDERED]]
    _render(result, campaign, content, people)
    result.price = quote_sends(tenant=campaign.tenant, quantity=result.sends)
    return result


def preview_campaign(campaign: Campaign, subscriber: Subscriber) -> Preview:
    """What this subscriber would see, whether or not it is in the audience."""
    return preview(campaign, compile_content(content_of(campaign)), recipient_of(subscriber))


def preview(campaign: Campaign, content: CompiledContent, person: Recipient) -> Preview:
    language = content.language_for(person.language, campaign.tenant.language)
    variables = variables_for(person, Message(name=campaign.name, variables={}))
    try:
        return Preview(person.external_id, language, content.render(language, variables), None)
    except RenderFailed as failed:
        return Preview(person.external_id, language, None, failed.fault)


def _rules(campaign: Campaign, content: CompiledContent) -> Rules:
    base = campaign.send_at or clock.now()
    expires_at = base + timedelta(seconds=campaign.ttl) if campaign.ttl else None
    return Rules(base, expires_at, tuple(content.languages), campaign.tenant.language)


def _count(result: Simulation, audience: SubscriberQuerySet, rules: Rules) -> None:
    now = clock.now()
    groups = audience.order_by().annotate(refuses=refusal()).values_list("language", "timezone", "refuses")
    for *facts, people in groups.annotate(people=Count("pk")):
        result.audience += people
        decision = plan(Facts(*facts), rules, now=now)
        if isinstance(decision, Due):
            result.planned[decision.language] += people
        else:
            result.suppressed[decision.reason] += people


def _render(result: Simulation, campaign: Campaign, content: CompiledContent, people: Iterable[Recipient]) -> None:
    good: list[Preview] = []
    for person in people:
        shown = preview(campaign, content, person)
        result.rendered += 1
        if shown.fault is None:
            good.append(shown)
            continue
        result.planned[shown.language] -= 1
        result.suppressed[Reason.TEMPLATE_ERROR] += 1
        if len(result.faults) < _SAMPLES:
            result.faults.append(shown)
    longest = max(good, key=_length, default=None)
    result.samples = good[:_SAMPLES]
    if longest is not None and longest not in result.samples:
        result.samples[-1] = longest


def _length(shown: Preview) -> int:
    assert shown.notification is not None
    return len(shown.notification.title) + len(shown.notification.body)
