"""The editor of a campaign's variants: their words, their shares, who gets nothing, and what decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns.experiments.reading import MOST_VARIANTS
from apps.campaigns.models import Campaign
from apps.core.errors import HouseError
from apps.dashboard.messaging.content import PREFIX as WORDS
from apps.dashboard.messaging.content import BaseVariants, merged, variants
from apps.messaging.content.rendering import Content, compile_content

PREFIX = "arms"
BLANK = "__arm__"
#: Variants that were added and removed again while one editor stood open count too.
_NUMBERS = 40


class ArmForm(forms.Form):
    """One variant, except its words. was: its key when the editor was opened."""

    was = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    key = forms.CharField(
        label=_("Name of the variant"), required=False, max_length=12,
        help_text=_("Small letters, digits, - and _. It stands in the results."),
    )  # fmt: skip
    share = forms.IntegerField(
        label=_("Share, in per cent"), required=False, min_value=1, max_value=100,
        help_text=_("Of the people who are compared. All shares together are 100."),
    )  # fmt: skip
    DELETE = forms.BooleanField(label=_("Remove this variant"), required=False)


@dataclass(frozen=True, slots=True)
class Arm:
    number: int
    form: ArmForm
    words: BaseVariants

    @property
    def is_first(self) -> bool:
        return self.number == 0


class Arms:
    """The variants of the editor, the campaign's own words first. Without any other there is nothing to compare."""

    def __init__(self, data: Any, campaign: Campaign | None, *, language: str) -> None:
        self._campaign, self._data, self._language = campaign, data, language
        self._stored = _stored(campaign)
        self.total = _total(data) if data else len(self._stored)
        self.arms = list(self._bound() if data else self._unbound())

    def __iter__(self) -> Iterator[Arm]:
        return iter(self.arms)

    def _bound(self) -> Iterator[Arm]:
        for number in range(self.total):
            prefix = f"{PREFIX}-{number}"
            if number and (f"{prefix}-key" not in self._data or f"{prefix}-DELETE" in self._data):
                continue
            words = variants(self._data, None, language=self._language, prefix=words_prefix(number))
            yield Arm(number, ArmForm(self._data, prefix=prefix), words)

    def _unbound(self) -> Iterator[Arm]:
        shares = shares_of([said["weight"] for said in self._stored])
        for number, (said, share) in enumerate(zip(self._stored, shares, strict=True)):
            initial = {"was": said["key"], "key": said["key"], "share": share}
            words = variants(None, self._words_of(said), language=self._language, prefix=words_prefix(number))
            yield Arm(number, ArmForm(prefix=f"{PREFIX}-{number}", initial=initial), words)

    def _words_of(self, said: dict[str, Any]) -> Content | None:
        return said.get("content") or (_words(self._campaign) if self._campaign else None)

    @property
    def blank(self) -> Arm:
        """What the page makes further ones of."""
        words = variants(None, None, language=self._language, prefix=f"{PREFIX}-{BLANK}-{WORDS}")
        return Arm(-1, ArmForm(prefix=f"{PREFIX}-{BLANK}"), words)

    @property
    def first(self) -> BaseVariants:
        return self.arms[0].words

    @property
    def most(self) -> int:
        return MOST_VARIANTS

    def is_valid(self, *, own: bool) -> bool:
        """own: the campaign's words are written here, and not a template's."""
        faults = [arm.form.errors for arm in self]
        if any(faults):
            return False
        sound = [arm.words.is_valid() for arm in self if own or not arm.is_first]
        return self._shares_fit() and all(sound)

    def _shares_fit(self) -> bool:
        total = sum(arm.form.cleaned_data["share"] or 0 for arm in self)
        if len(self.arms) == 1 or total == 100:
            return True
        said = gettext("All shares together are 100 per cent, and these are %(total)d.") % {"total": total}
        self.arms[-1].form.add_error("share", said)
        return False

    def parses(self, *, own: bool) -> bool:
        """Puts what does not work as a template onto the words where it stands."""
        sound = True
        for arm in self:
            try:
                if own or not arm.is_first:
                    compile_content(arm.words.content)
            except HouseError as error:
                arm.words.add_faults(error)
                sound = False
        return sound

    def content(self) -> dict[str, dict[str, Any]]:
        """The campaign's own words."""
        return merged(self.first.content, self._words_of(self._stored[0]))

    def variants(self, base: Content) -> list[dict[str, Any]]:
        """As an Experiment writes them. base: the words of the first; who has the same has none of their own."""
        known = {said["key"]: said for said in self._stored}
        shares = [arm.form.cleaned_data["share"] or 100 for arm in self]
        names = [arm.form.cleaned_data["was"] for arm in self]
        weights = [said["weight"] for said in self._stored]
        if names == list(known) and shares == shares_of(weights):
            shares = weights
        made = []
        for arm, weight in zip(self, shares, strict=True):
            before = known.get(arm.form.cleaned_data["was"], {})
            variant = {"key": arm.form.cleaned_data["key"] or "a", "weight": weight}
            words = None if arm.is_first else merged(arm.words.content, self._words_of(before))
            parts = {"content": words if words != base else None, "routes": before.get("routes")}
            made.append(variant | {name: value for name, value in parts.items() if value})
        return made

    def add_fault(self, place: str, sentence: Any) -> bool:
        """place: as in ExperimentInvalid, `variants.1.key`. Answers whether it belongs to one of these."""
        name, number, *member = place.split(".")[:3] if place.startswith("variants.") else ("", "", "")
        if name != "variants" or not number.isdigit() or int(number) >= len(self.arms):
            return False
        arm = self.arms[int(number)]
        field = {"key": "key", "weight": "share"}.get(member[0] if member else "")
        if field:
            arm.form.add_error(field, sentence)
        else:
            arm.words.non_form_errors().append(str(sentence))
        return True


def words_prefix(number: int) -> str:
    """Of the fields with the words of this variant."""
    return f"{PREFIX}-{number}-{WORDS}" if number else WORDS


def shares_of(weights: Sequence[int]) -> list[int]:
    """In per cent, together 100, nobody's nothing: the largest remainders get what rounding leaves."""
    total = sum(weights)
    shares = [max(1, weight * 100 // total) for weight in weights]
    left = 100 - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda number: -(weights[number] * 100 % total))
    for number in by_remainder[: max(0, left)]:
        shares[number] += 1
    if left < 0:
        shares[shares.index(max(shares))] += left
    return shares


def _total(data: Any) -> int:
    given = str(data.get(f"{PREFIX}-TOTAL_FORMS", "1"))
    return max(1, min(int(given), _NUMBERS)) if given.isdigit() and len(given) < 4 else 1


def _words(campaign: Campaign) -> Content | None:
    words: Content | None = campaign.template.content if campaign.template else campaign.content
    return words


def _stored(campaign: Campaign | None) -> list[dict[str, Any]]:
    experiment = campaign.experiment if campaign else None
    return list(experiment["variants"]) if experiment else [{"key": "a", "weight": 1}]
