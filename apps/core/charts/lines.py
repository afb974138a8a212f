"""Several lines over one grid: how things went on beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.charts.frame import LEFT, RIGHT, WIDTH, framed, grid, height_at, labels, nice_top, short


@dataclass(frozen=True, slots=True)
class Line:
    """values: one per label of the chart, not negative. series: 1 to 4, the colour; the page has a legend."""

    values: Sequence[int]
    series: int


def line_chart(lines: Sequence[Line], marks: Sequence[str], *, title: str, description: str) -> SafeString:
    """marks: under the axis, one per value."""
    top = nice_top(max((value for line in lines for value in line.values), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(marks))
    drawn = format_html_join("", "{}", ([_drawn(line, step, top)] for line in lines))
    return framed([grid(top), drawn, labels(marks, step)], title, description)


def _drawn(line: Line, step: float, top: int) -> SafeString:
    points = [(short(LEFT + (n + 0.5) * step), short(height_at(value, top))) for n, value in enumerate(line.values)]
    if len(points) == 1:
        return format_html('<circle class="series-{}" cx="{}" cy="{}" r="4"></circle>', line.series, *points[0])
    path = " ".join(f"{across},{down}" for across, down in points)
    return format_html('<polyline class="series-{}" points="{}"></polyline>', line.series, path)
