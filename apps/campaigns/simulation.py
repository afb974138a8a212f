"""What a campaign would do, without doing it: the planner and the renderer of the send, on the same people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from apps.audience.models import Subscriber, SubscriberQuerySet
from apps.audience.queries import refusal
from apps.billing.services.caps import Quote, quote_sends
from apps.campaigns.audiences import audience_of_campaign, unknown_variables
from apps.campaigns.deciding import arms_of, people_in
from apps.campaigns.dry_run import DryRun, ProviderDay, dry_run_of
from apps.campaigns.errors import ExperimentInvalid
from apps.campaigns.models import Campaign
from apps.campaigns.planner import Decision, Due, Facts
from apps.campaigns.services.experiments import variants_of, words_by_variant
from apps.campaigns.services.scheduling import content_of
from apps.campaigns.ways import Way, extra_sends, ways_of
from apps.messaging.content.rendering import CompiledContent, RenderFailed, compile_content
from apps.messaging.errors import Fault
from apps.messaging.ledger.states import HELD_OUT, Reason
from apps.messaging.models import Message
from apps.messaging.sending.recipients import COLUMNS, Recipient, recipient_of, variables_for
from apps.providers.base import Notification

#: People whose notification is really rendered: enough to find what goes wrong, and quick.
RENDERED = 1_000
#: People who are decided one by one where they cannot be counted by kind (caps, best hours): an answer within seconds.
DECIDED = 100_000
_PAGE = 5_000
_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What one person would see. Exactly one of notification and fault is set. variant: of an experiment."""

    external_id: str
    language: str
    notification: Notification | None
    fault: Fault | None
    variant: str = ""


@dataclass(slots=True)
class Simulation:
    """audience: people. planned: those who would be sent to, by language. suppressed: by reason. by_hour: how many
    would leave in the hour that begins then. decided: people asked about one by one; everybody, up to DECIDED.
    by_variant: of an experiment; UNDECIDED waits for the winner.

    rendered: for how many the words were really made; template errors are counted among these. When `is_exact` they
    are everybody, and the figures are what a send would do now. warnings: variables that nobody has. price: of the
    sends, were all of them accepted. ways: the campaign's routes in turn. extra_sends: that these may cause on top, at
    most; price_at_most is with them. provider_day: of the network's quota, where one is declared.
    """

    audience: int = 0
    planned: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    by_hour: Counter[datetime] = field(default_factory=Counter)
    by_variant: Counter[str] = field(default_factory=Counter)
    decided: int = 0
    rendered: int = 0
    samples: list[Preview] = field(default_factory=list)
    faults: list[Preview] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    price: Quote | None = None
    ways: list[Way] = field(default_factory=list)
    extra_sends: int = 0
    price_at_most: Quote | None = None
    provider_day: ProviderDay | None = None

    @property
    def is_exact(self) -> bool:
        tried = self.planned.total() + self.suppressed[Reason.TEMPLATE_ERROR]
        return self.rendered >= tried and self.decided == self.audience

    @property
    def provider_days(self) -> int:
        """Days of the network's that the run takes, by its quota; 0 where there is none."""
        return self.provider_day.count_days(self.by_hour) if self.provider_day else 0

    @property
    def exceeds_the_day(self) -> bool:
        """Whether some wait for another day, or are left out, because of the network's quota."""
        day = self.provider_day
        return day is not None and (self.sends > day.left or self.suppressed[Reason.PROVIDER_QUOTA] > 0)

    @property
    def sends(self) -> int:
        return self.planned.total()


def simulate_campaign(campaign: Campaign) -> Simulation:
    """Raises what scheduling would raise about the words and the audience; an empty audience is an answer here."""
    content = compile_content(content_of(campaign))
    audience = audience_of_campaign(campaign)
    result = Simulation(warnings=unknown_variables(content, audience))
    dry_run = dry_run_of(campaign)
    _count(result, audience, dry_run)
    result.provider_day = dry_run.provider_day()
    people = [Recipient(*row) for row in audience.exclude(refusal()).order_by("pk").values_list(*COLUMNS)[:RENDERED]]
    _render(result, campaign, content, people)
    _price(result, campaign)
    return result


def preview_campaign(campaign: Campaign, subscriber: Subscriber, *, variant: str = "") -> Preview:
    """What this subscriber would see, whether or not it is in the audience; of an experiment the named variant, without
    one that which the person would get. Raises ExperimentInvalid for an unknown variant."""
    arm_of, contents = arms_of(campaign.experiment, campaign.pk), words_by_variant(campaign)
    if variant and variant not in variants_of(campaign):
        raise ExperimentInvalid(fields={"variant": [ExperimentInvalid.default_message]})
    arm = variant or (arm_of(subscriber.pk) if arm_of is not None else "")
    content = compile_content(contents.get(arm) or content_of(campaign))
    return preview(campaign, content, recipient_of(subscriber), variant=arm)


def preview(campaign: Campaign, content: CompiledContent, person: Recipient, *, variant: str = "") -> Preview:
    language = content.language_for(person.language, campaign.tenant.language)
    variables = variables_for(person, Message(name=campaign.name, variables={}))
    try:
        return Preview(person.external_id, language, content.render(language, variables), None, variant)
    except RenderFailed as failed:
        return Preview(person.external_id, language, None, failed.fault, variant)


def _count(result: Simulation, audience: SubscriberQuerySet, dry_run: DryRun) -> None:
    people = people_in(audience, dry_run.rules)
    decider = dry_run.decider()
    if dry_run.is_alike:
        # One row per kind of person; the clock of a person makes no kinds where no rule looks at it.
        facts = ("language", "timezone", "refuses", "is_off")
        for *alike, count in people.order_by().values_list(*facts).annotate(people=Count("pk")):
            result.audience += count
            for decision, some in decider.decide_alike(Facts(*alike), count):
                _add(result, decision, some)
        result.decided = result.audience
        return
    result.audience = audience.count()
    last = 0
    while page := list(people.filter(pk__gt=last).order_by("pk")[: min(_PAGE, DECIDED - result.decided)]):
        last, result.decided = page[-1][0], result.decided + len(page)
        for decision, numbers in decider.decide(page).items():
            _add(result, decision, len(numbers))


def _add(result: Simulation, decision: Decision, people: int) -> None:
    if isinstance(decision, Due):
        result.planned[decision.language] += people
        if decision.variant:
            result.by_variant[decision.variant] += people
        result.by_hour[decision.due_at.replace(minute=0, second=0, microsecond=0)] += people
    else:
        result.suppressed[decision.reason] += people


def _render(result: Simulation, campaign: Campaign, content: CompiledContent, people: Iterable[Recipient]) -> None:
    good: list[Preview] = []
    arm_of = arms_of(campaign.experiment, campaign.pk)
    contents = {variant: compile_content(words) for variant, words in words_by_variant(campaign).items()}
    for person in people:
        arm = arm_of(person.number) if arm_of is not None else ""
        if arm == HELD_OUT:
            continue
        shown = preview(campaign, contents.get(arm, content), person, variant=arm)
        result.rendered += 1
        if shown.fault is None:
            good.append(shown)
            continue
        result.planned[shown.language] -= 1
        result.suppressed[Reason.TEMPLATE_ERROR] += 1
        if arm:
            result.by_variant[arm] -= 1
        if len(result.faults) < _SAMPLES:
            result.faults.append(shown)
    longest = max(good, key=_length, default=None)
    result.samples = _of_each_variant(good)[:_SAMPLES]
    if longest is not None and longest not in result.samples:
        result.samples[-1] = longest


def _of_each_variant(good: list[Preview]) -> list[Preview]:
    """The same, beginning with one person of each variant."""
    first = list({shown.variant: shown for shown in reversed(good)}.values())
    return [*reversed(first), *(shown for shown in good if shown not in first)]


def _price(result: Simulation, campaign: Campaign) -> None:
    after = campaign.fallback_after
    people = dict(result.by_variant) or {"": result.sends}
    own = {key: said["routes"] for key, said in variants_of(campaign).items() if said.get("routes")}
    routes = {variant: own.get(variant, campaign.routes) for variant in people}
    result.ways = ways_of(campaign.strategy, campaign.routes, fallback_after=after, people=result.sends)
    result.extra_sends = extra_sends(campaign.strategy, routes, fallback_after=after, people=people)
    result.price = quote_sends(tenant=campaign.tenant, quantity=result.sends)
    result.price_at_most = quote_sends(tenant=campaign.tenant, quantity=result.sends + result.extra_sends)


def _length(shown: Preview) -> int:
    assert shown.notification is not None
    return len(shown.notification.title) + len(shown.notification.body)
