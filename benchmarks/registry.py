"""The list of figures. A module adds one with `@figure("name")` on a function that yields readings.

A module that holds figures is named in MODULES, so that `ONLY=name` imports no more than it must.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

MODULES = (
    "benchmarks.fanout",
    "benchmarks.publishing",
    "benchmarks.connecting",
    "benchmarks.closing",
    "benchmarks.many_channels",
    "benchmarks.latency",
    "benchmarks.resuming",
    "benchmarks.campaign",
    "benchmarks.billing",
    "benchmarks.month_end",
    "benchmarks.rating",
    "benchmarks.push",
    "benchmarks.push_pipeline",
    "benchmarks.audience",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One line: `NAME value unit ratio-to-WHAT …`. ratios: what it is compared with -> how many times that."""

    name: str
    value: float
    unit: str
    ratios: dict[str, float]

    def __str__(self) -> str:
        beside = " ".join(f"{ratio:.2f}-to-{what}" for what, ratio in self.ratios.items())
        value = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.1f}"
        return f"{self.name} {value} {self.unit} {beside}".rstrip()


Figure = Callable[[], Iterator[Reading]]
FIGURES: dict[str, Figure] = {}


def figure(name: str) -> Callable[[Figure], Figure]:
    def add(function: Figure) -> Figure:
        FIGURES[name] = function
        return function

    return add
