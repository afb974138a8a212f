"""Columns over a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.charts.frame import LEFT, RIGHT, WIDTH, framed, grid, height_at, labels, line, nice_top, short


@dataclass(frozen=True, slots=True)
class Bar:
    """label: under the axis. value: not negative. text: what pointing at it says, for example "Monday: 1,204"."""

    label: str
    value: int
    text: str


def bar_chart(
    bars: Sequence[Bar], *, title: str, description: str, series: int = 1, limit: int | None = None
) -> SafeString:
    """A column per bar over a grid. series: 1 to 4, the colour. limit: a line across, drawn when it is in sight."""
    top = nice_top(max((bar.value for bar in bars), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    parts = [
        grid(top),
        format_html_join("", "{}", ([_column(bar, n, step, top, series)] for n, bar in enumerate(bars))),
        labels([bar.label for bar in bars], step),
    ]
    if limit is not None and limit <= top:
        parts.append(line("limit", height_at(limit, top)))
    return framed(parts, title, description)


def _column(bar: Bar, n: int, step: float, top: int, series: int) -> SafeString:
    width = max(1.0, step * 0.72)
    height = height_at(0, top) - height_at(bar.value, top)
    return format_html(
        '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>',
        series,
        short(LEFT + n * step + (step - width) / 2),
        short(height_at(bar.value, top)),
        short(width),
        short(max(height, 1.0 if bar.value else 0.0)),
        bar.text,
    )
