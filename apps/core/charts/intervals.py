"""Estimates with their intervals on one scale around zero: a point says how much, the line how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.charts.frame import WIDTH, framed, nice_top, short, short_number

_ROW, _TEXT, _EDGE, _AXIS = 40, 13, 24, 22


@dataclass(frozen=True, slots=True)
class Interval:
    """In the units of the scale. text: the same in words. is_decided: zero lies outside."""

    label: str
    estimate: float
    low: float
    high: float
    text: str

    @property
    def is_decided(self) -> bool:
        return self.low > 0 or self.high < 0


def interval_chart(rows: Sequence[Interval], *, title: str, description: str, unit: str = "") -> SafeString:
    """The scale reaches as far as the widest interval: nothing is cut off. unit: written at the ends of the scale."""
    reach = nice_top(int(max((max(abs(row.low), abs(row.high)) for row in rows), default=0)) + 1)
    bottom = len(rows) * _ROW
    parts = [
        _scale(reach, bottom, unit),
        format_html_join("", "{}", ([_drawn(row, number, reach)] for number, row in enumerate(rows))),
    ]
    return framed(parts, title, description, WIDTH, bottom + _AXIS)


def _x(value: float, reach: int) -> str:
    return short(_EDGE + (value / reach + 1) / 2 * (WIDTH - 2 * _EDGE))


def _scale(reach: int, bottom: int, unit: str) -> SafeString:
    return format_html_join(
        "",
        '<line class="{}" x1="{}" x2="{}" y1="0" y2="{}"></line><text x="{}" y="{}" text-anchor="middle">{}{}</text>',
        (
            ("grid" if value else "zero", _x(value, reach), _x(value, reach), bottom, _x(value, reach), bottom + 14,
             f"{'+' if value > 0 else '−' if value < 0 else ''}{short_number(abs(value))}", unit if value else "")
            for value in (-reach, -reach / 2, 0, reach / 2, reach)
        ),
    )  # fmt: skip


def _drawn(row: Interval, number: int, reach: int) -> SafeString:
    top = number * _ROW
    return format_html(
        '<text class="name" x="0" y="{name}">{label}</text><g class="{css}"><title>{text}</title>'
        '<line class="series-1" x1="{low}" x2="{high}" y1="{y}" y2="{y}"></line>'
        '<line class="series-1" x1="{low}" x2="{low}" y1="{above}" y2="{below}"></line>'
        '<line class="series-1" x1="{high}" x2="{high}" y1="{above}" y2="{below}"></line>'
        '<circle class="series-1" cx="{middle}" cy="{y}" r="5"></circle></g>',
        name=top + _TEXT, label=row.label, text=row.text, css="decided" if row.is_decided else "open",
        low=_x(row.low, reach), high=_x(row.high, reach), middle=_x(row.estimate, reach),
        y=top + 26, above=top + 20, below=top + 32,
    )  # fmt: skip
