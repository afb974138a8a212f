"""What somebody wrote about an experiment, as its values. Raises ExperimentInvalid."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import ExperimentInvalid
from apps.campaigns.experiments.arms import Experiment, Metric, Variant, Winner
from apps.messaging.ledger.states import HELD_OUT

MOST_VARIANTS, MOST_WEIGHT, MOST_HOLDOUT = 5, 1_000, 50
_HOUR, _MOST_HOURS = 3_600, 14 * 24
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,11}", re.ASCII)
_MEMBERS = frozenset({"variants", "metric", "holdout", "winner"})


def read_experiment(
    given: Mapping[str, Any] | None, *, languages: Sequence[str], ttl: int | None, routes: Callable[[Any], list[str]]
) -> Experiment | None:
    """given: as Experiment.to_json writes it; None for none. languages: of the campaign's own words. ttl: its, in
    seconds. routes: checks a variant's, and raises what it likes."""
    if given is None:
        return None
    _require_members(given, _MEMBERS, "")
    sentence = _("The holdout is a whole number of percent from 0 to 50.")
    holdout = _number(given.get("holdout") or 0, 0, MOST_HOLDOUT, sentence, "holdout")
    try:
        metric = Metric(given.get("metric") or Metric.OPENED)
    except ValueError:
        raise _no(_("Variants are compared by received, opened, clicked or converted."), "metric") from None
    variants = _variants(given.get("variants"), languages, routes)
    if len(variants) < 2 and not holdout:
        raise _no(_("An experiment has 2 to 5 variants, or a holdout."), "variants")
    winner = _winner(given.get("winner"), ttl)
    if winner is not None and len(variants) < 2:
        raise _no(_("A winner needs at least two variants."), "winner")
    return Experiment(variants, metric, holdout, winner)


def _variants(given: Any, languages: Sequence[str], routes: Callable[[Any], list[str]]) -> tuple[Variant, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not 1 <= len(given) <= MOST_VARIANTS:
        raise _no(_("An experiment has 2 to 5 variants, or a holdout."), "variants")
    read = tuple(_variant(one, languages, routes, f"variants.{number}") for number, one in enumerate(given))
    if len({variant.key for variant in read}) != len(read):
        raise _no(_("Each variant has a key of its own."), "variants")
    return read


def _variant(given: Any, languages: Sequence[str], routes: Callable[[Any], list[str]], place: str) -> Variant:
    if not isinstance(given, Mapping):
        raise _no(_("This is an object."), place)
    _require_members(given, {"key", "weight", "content", "routes"}, f"{place}.")
    key, content = given.get("key"), given.get("content") or None
    if not isinstance(key, str) or not _KEY.fullmatch(key) or key == HELD_OUT:
        raise _no(_("A key has 1 to 12 small letters, digits, - and _, and is not holdout."), f"{place}.key")
    sentence = _("A weight is a whole number from 1 to 1,000.")
    weight = _number(given.get("weight", 1), 1, MOST_WEIGHT, sentence, f"{place}.weight")
    if content is not None and not isinstance(content, Mapping):
        raise _no(_("This is an object."), f"{place}.content")
    if content is not None and set(content) != set(languages):
        raise _no(_("A variant is written in the same languages as the campaign."), f"{place}.content")
    own = given.get("routes") or None
    return Variant(key, weight, content, tuple(routes(own)) if own is not None else None)


def _winner(given: Any, ttl: int | None) -> Winner | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise _no(_("This is an object."), "winner")
    _require_members(given, {"share", "after", "early"}, "winner.")
    sentence = _("The part that is tested is a whole number of percent from 1 to 90.")
    share = _number(given.get("share"), 1, 90, sentence, "winner.share")
    sentence = _("A winner is chosen after 1 hour to 14 days, in seconds.")
    after, early = _number(given.get("after"), _HOUR, _MOST_HOURS * _HOUR, sentence, "winner.after"), given.get("early")
    if not isinstance(early, bool | None):
        raise _no(_("Use true or false."), "winner.early")
    if ttl is not None and ttl <= after:
        raise _no(_("The campaign expires before its winner is chosen."), "winner.after")
    return Winner(share, after, bool(early))


def _require_members(given: Any, known: frozenset[str] | set[str], place: str) -> None:
    if not isinstance(given, Mapping):
        raise _no(_("This is an object."), place.rstrip("."))
    for name in sorted(set(given) - known, key=str):
        raise _no(_("There is no such field."), f"{place}{str(name)[:64]}")


def _number(given: Any, least: int, most: int, sentence: Any, place: str) -> int:
    if type(given) is not int or not least <= given <= most:
        raise _no(sentence, place)
    return given


def _no(sentence: Any, place: str) -> ExperimentInvalid:
    return ExperimentInvalid(sentence, fields={f"experiment.{place}".rstrip("."): [sentence]})
