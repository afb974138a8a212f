"""An experiment as lines of the page \u201cThe plan\u201d."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.campaigns.experiments import Experiment, Winner
from apps.campaigns.models import Campaign
from apps.dashboard.campaigns.arms import shares_of
from apps.dashboard.campaigns.experiment_forms import METRICS


def experiment_words(campaign: Campaign) -> list[tuple[str, str]]:
    """(what, how); nothing without an experiment."""
    if not campaign.experiment:
        return []
    experiment = Experiment.from_json(campaign.experiment)
    lines = []
    if len(experiment.variants) > 1:
        shares = shares_of([variant.weight for variant in experiment.variants])
        named = zip(experiment.variants, shares, strict=True)
        lines = [
            (_("Variants"), ", ".join(f"{variant.key} {share} %" for variant, share in named)),
            (_("Compared by"), str(dict(METRICS)[experiment.metric])),
        ]
    if experiment.winner is not None:
        lines.append((_("Winner"), _winner(experiment.winner)))
    if experiment.holdout:
        lines.append((_("Get nothing"), _("%(share)d %% of the people") % {"share": experiment.holdout}))
    return lines


def _winner(winner: Winner) -> str:
    hours, minutes = divmod(winner.after // 60, 60)
    after = ngettext("%(count)d minute", "%(count)d minutes", winner.after // 60) % {"count": winner.after // 60}
    if not minutes:
        after = ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    said = {"share": winner.share, "after": after}
    if winner.early:
        return _("%(share)d %% try them; chosen after %(after)s, or sooner when it is certain") % said
    return _("%(share)d %% try them; chosen after %(after)s") % said
