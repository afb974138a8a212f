"""The part of the editor about an experiment besides its variants: the holdout, the metric, the winner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.campaigns.experiments import Metric
from apps.campaigns.experiments.reading import MOST_HOLDOUT
from apps.campaigns.models import Campaign
from apps.core.errors import HouseError
from apps.dashboard.campaigns.arms import Arms
from apps.messaging.content.rendering import Content

METRICS = [
    (Metric.RECEIVED, _("how many have received it")),
    (Metric.OPENED, _("how many open it")),
    (Metric.CLICKED, _("how many click")),
    (Metric.CONVERTED, _("how many do what you want of them")),
]
_WINNERS = [
    ("off", _("Everybody gets one of them, in the shares above")),
    ("on", _("A part tries them first, and the rest get the one that wins")),
]
_UNITS = [("60", _("minutes")), ("3600", _("hours")), ("86400", _("days"))]
_FIELDS = {"winner.share": "winner_share", "winner.after": "winner_count", "winner.early": "winner_early"}


class ExperimentForm(forms.Form):
    """Shape is checked; rules live in the services."""

    holdout = forms.IntegerField(
        label=_("Get nothing, in per cent"), required=False, min_value=0, max_value=MOST_HOLDOUT, initial=0,
        help_text=_("These people are left out, to see what they do without the campaign. 0 is nobody."),
    )  # fmt: skip
    metric = forms.ChoiceField(
        label=_("The variants are compared by"), choices=METRICS, initial=Metric.OPENED, required=False,
        help_text=_("Believed only when the difference cannot be chance, whenever you look."),
    )  # fmt: skip
    winner = forms.ChoiceField(
        label=_("Who gets which"), choices=_WINNERS, initial="off", required=False, widget=forms.RadioSelect
    )
    winner_share = forms.IntegerField(
        label=_("Per cent who try them first"), required=False, min_value=1, max_value=90, initial=20
    )
    winner_count = forms.IntegerField(
        label=_("Choose the winner after"), required=False, min_value=1, max_value=20_160, initial=4,
        help_text=_("1 hour to 14 days from the start. The rest wait for it; then the leading variant goes to them."),
    )  # fmt: skip
    winner_unit = forms.ChoiceField(label=_("Unit"), choices=_UNITS, initial="3600", required=False)
    winner_early = forms.BooleanField(label=_("Sooner, when the difference is certain before"), required=False)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = self.cleaned_data
        if said.get("winner") == "on":
            for name in ("winner_share", "winner_count"):
                if said.get(name) is None and name not in self.errors:
                    self.add_error(name, _("Say how much."))
        return said

    def experiment(self, arms: Arms, base: Content) -> dict[str, Any] | None:
        """As Experiment writes it. base: the words of the first variant. None: nothing is compared."""
        said = self.cleaned_data
        compares = len(arms.arms) > 1
        if not compares and not said["holdout"]:
            return None
        return {
            "variants": arms.variants(base),
            "metric": said["metric"] or Metric.OPENED.value,
            "holdout": said["holdout"] or 0,
            "winner": self._winner() if compares else None,
        }

    def _winner(self) -> dict[str, Any] | None:
        said = self.cleaned_data
        if said["winner"] != "on":
            return None
        after = said["winner_count"] * int(said["winner_unit"] or 3_600)
        return {"share": said["winner_share"], "after": after, "early": said["winner_early"]}

    def add_faults(self, error: HouseError, arms: Arms) -> None:
        """Puts a refusal of the experiment onto the fields that it names."""
        for path, sentences in error.fields.items():
            place = path.removeprefix("experiment.")
            for sentence in sentences:
                if not arms.add_fault(place, sentence):
                    name = _FIELDS.get(place, place)
                    self.add_error(name if name in self.fields else None, sentence)
        if not error.fields:
            self.add_error(None, str(error.message))


def experiment_initial(campaign: Campaign | None) -> dict[str, Any]:
    experiment = campaign.experiment if campaign else None
    if not experiment:
        return {}
    initial = {"holdout": experiment["holdout"], "metric": experiment["metric"], "winner": "off"}
    if winner := experiment["winner"]:
        after = winner["after"]
        unit = next((int(unit) for unit, _name in reversed(_UNITS) if after % int(unit) == 0), 60)
        initial |= {
            "winner": "on", "winner_share": winner["share"], "winner_early": winner["early"],
            "winner_count": -(-after // unit), "winner_unit": str(unit),
        }  # fmt: skip
    return initial
