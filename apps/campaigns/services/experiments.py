"""An experiment in a draft, and what its variants are to a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import ExperimentInvalid
from apps.campaigns.experiments.reading import read_experiment
from apps.campaigns.models import Campaign
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.ledger.states import HELD_OUT
from apps.messaging.sending.strategies import Strategy
from apps.messaging.services import require_routes
from apps.messaging.services.messages import require_first_routes


def require_experiment(campaign: Campaign, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """As it is stored. The campaign has its words, routes and ttl already. Raises ExperimentInvalid, RouteMissing,
    UnknownProvider, TemplateInvalid, ContentTooLarge."""
    words = (campaign.template.content if campaign.template else campaign.content) or {}
    read = read_experiment(given, languages=tuple(words), ttl=campaign.ttl, routes=require_routes)
    if read is None:
        return None
    strategy = Strategy(campaign.strategy)
    for variant in read.variants:
        if variant.content is not None:
            compile_content(variant.content)
        if variant.routes is not None:
            require_first_routes(strategy, variant.routes)
            if read.winner is not None and strategy is Strategy.ALL:
                sentence = _("Where every route is used at once, a winner cannot bring routes of its own.")
                raise ExperimentInvalid(sentence, fields={"experiment.winner": [sentence]})
    return read.to_json()


def words_by_variant(campaign: Campaign) -> dict[str, Content]:
    """Of the variants that have some of their own."""
    said = (campaign.experiment or {}).get("variants", [])
    return {variant["key"]: variant["content"] for variant in said if variant.get("content")}


def variants_of(campaign: Campaign) -> dict[str, Any]:
    """As Message.variants. HELD_OUT among them says that there are people who get nothing."""
    if not campaign.experiment:
        return {}
    parts = ("content", "routes")
    variants = {
        variant["key"]: {part: variant[part] for part in parts if variant.get(part)}
        for variant in campaign.experiment["variants"]
    }
    return variants | ({HELD_OUT: {}} if campaign.experiment["holdout"] else {})
