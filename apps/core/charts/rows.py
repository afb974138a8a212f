"""A bar per row, with its name and its figure above it: for funnels and for parts with long names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.charts.frame import WIDTH, framed, short

_ROW, _TEXT, _BAR = 36, 13, 12


@dataclass(frozen=True, slots=True)
class Row:
    """value: not negative. text: the figure in words, at the end of the line."""

    label: str
    value: float
    text: str


def row_chart(rows: Sequence[Row], *, title: str, description: str, series: int = 1, top: float = 0) -> SafeString:
    """series: 1 to 4, the colour. top: what a full bar is worth; 0: the largest value."""
    full = top or max((row.value for row in rows), default=0) or 1
    drawn = format_html_join("", "{}", ([_drawn(row, number, full, series)] for number, row in enumerate(rows)))
    return framed([drawn], title, description, WIDTH, len(rows) * _ROW)


def _drawn(row: Row, number: int, full: float, series: int) -> SafeString:
    y, width = number * _ROW, min(1.0, row.value / full) * WIDTH
    return format_html(
        '<text class="name" x="0" y="{y}">{label}</text><text class="figure" x="{end}" y="{y}" text-anchor="end">{text}'
        '</text><rect class="track" x="0" y="{bar}" width="{end}" height="{height}" rx="2"></rect>'
        '<rect class="series-{series}" x="0" y="{bar}" width="{width}" height="{height}" rx="2"></rect>',
        y=y + _TEXT, bar=y + _TEXT + 5, end=WIDTH, height=_BAR, label=row.label, text=row.text, series=series,
        width=short(max(width, 1.0 if row.value else 0.0)),
    )  # fmt: skip
