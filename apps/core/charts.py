"""Charts drawn on the server as accessible SVG: no script, no inline style, colours by class.

A chart says in words what it shows (`role="img"` and a label). The page puts its figures in a table beside
it. Sizes are in the units of the view box; the stylesheet lets it fill its column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_WIDTH, _HEIGHT = 480, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 12, 24
_GRID_LINES = 4
_LABEL_WIDTH = 72


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
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(bars))
    parts = [
        _grid(top),
        format_html_join("", "{}", ([_column(bar, n, step, top, series)] for n, bar in enumerate(bars))),
        _labels([bar.label for bar in bars], step),
    ]
    if limit is not None and limit <= top:
        parts.append(_line("limit", _y(limit, top)))
    return _framed(parts, title, description)


def sparkline(values: Sequence[int], *, title: str, description: str, series: int = 1) -> SafeString:
    """A small line without axes, for a card."""
    width, height, top = 120, 32, max([*values, 1])
    step = width / max(1, len(values) - 1)
    points = " ".join(
        f"{_short(n * step)},{_short(height - 1 - value / top * (height - 2))}" for n, value in enumerate(values)
    )
    return _framed(
        [format_html('<polyline class="series-{}" points="{}"></polyline>', series, points)],
        title, description, width, height,
    )  # fmt: skip


def nice_top(value: int) -> int:
    """The smallest 1, 2, 4, 5 or 8 times a power of ten that is not below the value, and at least 4."""
    if value <= _GRID_LINES:
        return _GRID_LINES
    power = 10 ** int(math.log10(value))
    for factor in (1, 2, 4, 5, 8, 10, 20):
        if factor * power >= value:
            return int(factor * power)
    raise AssertionError("20 times the power of ten below a value is above it")


def short_number(value: float) -> str:
    """1200 -> "1.2k", as axes want it."""
    for size, suffix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _framed(
    parts: Iterable[SafeString], title: str, description: str, width: int = _WIDTH, height: int = _HEIGHT
) -> SafeString:
    return format_html(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-label="{}. {}">{}</svg>',
        width,
        height,
        title,
        description,
        mark_safe("".join(parts)),  # noqa: S308  (every part was escaped when it was made)
    )


def _short(length: float) -> str:
    """A tenth of a unit is finer than anybody sees."""
    return f"{length:.1f}"


def _y(value: float, top: int) -> float:
    return _TOP + (1 - value / top) * (_HEIGHT - _TOP - _BOTTOM)


def _line(css: str, y: float) -> SafeString:
    return format_html(
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"></line>', css, _LEFT, _WIDTH - _RIGHT, _short(y), _short(y)
    )


def _grid(top: int) -> SafeString:
    parts = []
    for n in range(_GRID_LINES + 1):
        value = top * n / _GRID_LINES
        y = _y(value, top)
        parts.append(_line("grid" if n else "axis", y))
        parts.append(
            format_html(
                '<text x="{}" y="{}" text-anchor="end">{}</text>', _LEFT - 6, _short(y + 4), short_number(value)
            )
        )
    return mark_safe("".join(parts))  # noqa: S308  (escaped above)


def _column(bar: Bar, n: int, step: float, top: int, series: int) -> SafeString:
    width = max(1.0, step * 0.72)
    height = _y(0, top) - _y(bar.value, top)
    return format_html(
        '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>',
        series,
        _short(_LEFT + n * step + (step - width) / 2),
        _short(_y(bar.value, top)),
        _short(width),
        _short(max(height, 1.0 if bar.value else 0.0)),
        bar.text,
    )


def _labels(labels: Sequence[str], step: float) -> SafeString:
    """As many labels as fit, evenly, the first one always."""
    every = max(1, math.ceil(_LABEL_WIDTH / step))
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((_short(_LEFT + (n + 0.5) * step), _HEIGHT - 6, label) for n, label in enumerate(labels) if n % every == 0),
    )
