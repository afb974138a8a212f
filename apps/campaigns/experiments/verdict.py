"""What an experiment says so far, in figures that may be looked at as often as anybody likes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.campaigns.experiments.sequential import Difference, Group, difference, people_needed

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Standing:
    """One variant. against: its difference to the first one; None of the first itself. needed: see people_needed."""

    key: str
    group: Group
    against: Difference | None = None
    needed: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """leader: of the highest rate; the first one while nothing is known. is_decided: it is better than every other,
    with 95 % certainty for all comparisons together."""

    standings: tuple[Standing, ...]
    leader: str
    is_decided: bool

    def to_json(self) -> dict[str, Any]:
        """What `verdict_from_json` needs."""
        groups = [(row.key, row.group) for row in self.standings]
        return {"rows": [{"key": key, "people": of.people, "successes": of.successes} for key, of in groups]}


def verdict_of(groups: Mapping[str, Group]) -> Verdict:
    """groups: by the variant's key, the one to compare with first. At least one."""
    keys = list(groups)
    pairs = len(keys) * (len(keys) - 1) // 2
    alpha = ALPHA / max(1, pairs)
    leader = max(keys, key=lambda key: (groups[key].rate, -keys.index(key)))
    beaten = [difference(groups[key], groups[leader], alpha=alpha).low > 0 for key in keys if key != leader]
    return Verdict(tuple(_standings(groups, keys, alpha)), leader, bool(beaten) and all(beaten))


def _standings(groups: Mapping[str, Group], keys: Sequence[str], alpha: float) -> list[Standing]:
    first = groups[keys[0]]
    return [
        Standing(keys[0], first),
        *(
            Standing(
                key,
                groups[key],
                difference(first, groups[key], alpha=alpha),
                people_needed(first, groups[key], alpha=alpha),
            )
            for key in keys[1:]
        ),
    ]


def verdict_from_json(stored: Mapping[str, Any]) -> Verdict:
    """What was known when somebody, or the clock, decided."""
    return verdict_of({row["key"]: Group(row["people"], row["successes"]) for row in stored["rows"]})
