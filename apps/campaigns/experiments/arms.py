"""Who gets which variant: by a stable hash, so that a dry run, a send and a repetition agree. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from apps.messaging.ledger.states import HELD_OUT, UNDECIDED

#: Parts into which each of a person's three draws is divided: a hundredth of a percent.
_PARTS = 10_000


class Metric(StrEnum):
    """What the variants are compared by. A kind of receipt, counted once per person."""

    RECEIVED = "received"
    OPENED = "opened"
    CLICKED = "clicked"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class Variant:
    """content, routes: None for the campaign's own. weight: its part of all weights."""

    key: str
    weight: int = 1
    content: Mapping[str, Mapping[str, Any]] | None = None
    routes: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        own: dict[str, Any] = {"content": self.content, "routes": list(self.routes) if self.routes else None}
        return {"key": self.key, "weight": self.weight} | {name: value for name, value in own.items() if value}


@dataclass(frozen=True, slots=True)
class Winner:
    """The rest get the variant that wins. share: percent of people who are tested first. after: seconds from the start
    until it is chosen. early: sooner, when the difference is certain before."""

    share: int
    after: int
    early: bool = False


@dataclass(frozen=True, slots=True)
class Experiment:
    """The first variant is the one that the others are compared with. holdout: percent of people who get nothing."""

    variants: tuple[Variant, ...]
    metric: Metric = Metric.OPENED
    holdout: int = 0
    winner: Winner | None = None

    def arm_of(self, seed: int, person: int) -> str:
        """A variant’s key, HELD_OUT, or UNDECIDED for those who wait for the winner. Each of the three draws has its
        own bits of the hash, so that none depends on another."""
        drawn = hashlib.blake2b(b"%d:%d" % (seed, person), digest_size=24).digest()
        held, tested, chosen = (int.from_bytes(drawn[at : at + 8]) % _PARTS for at in (0, 8, 16))
        if held < self.holdout * _PARTS // 100:
            return HELD_OUT
        if self.winner is not None and tested >= self.winner.share * _PARTS // 100:
            return UNDECIDED
        total, reached = sum(variant.weight for variant in self.variants), 0
        for variant in self.variants:
            reached += variant.weight
            if chosen * total < reached * _PARTS:
                return variant.key
        raise AssertionError("the weights cover every draw")

    def to_json(self) -> dict[str, Any]:
        winner = self.winner
        return {
            "variants": [variant.to_json() for variant in self.variants],
            "metric": self.metric.value,
            "holdout": self.holdout,
            "winner": {"share": winner.share, "after": winner.after, "early": winner.early} if winner else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            tuple(
                Variant(said["key"], said["weight"], said.get("content"), tuple(said.get("routes", ())) or None)
                for said in stored["variants"]
            ),
            Metric(stored["metric"]),
            stored["holdout"],
            Winner(**stored["winner"]) if stored["winner"] else None,
        )
