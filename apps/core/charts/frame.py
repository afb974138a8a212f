"""What every chart has: a frame that says in words what it shows, a grid, labels, sizes.

Sizes are in the units of the view box; the stylesheet lets it fill its column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 480, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 12, 24
_GRID_LINES = 4
_LABEL_WIDTH = 72


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


def framed(
    parts: Iterable[SafeString], title: str, description: str, width: int = WIDTH, height: int = HEIGHT
) -> SafeString:
    return format_html(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-label="{}. {}">{}</svg>',
        width,
        height,
        title,
        description,
        mark_safe("".join(parts)),  # noqa: S308  (every part was escaped when it was made)
    )


def short(length: float) -> str:
    """A tenth of a unit is finer than anybody sees."""
    return f"{length:.1f}"


def height_at(value: float, top: int) -> float:
    return TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)


def line(css: str, y: float) -> SafeString:
    return format_html(
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"></line>', css, LEFT, WIDTH - RIGHT, short(y), short(y)
    )


def grid(top: int) -> SafeString:
    parts = []
    for n in range(_GRID_LINES + 1):
        value = top * n / _GRID_LINES
        y = height_at(value, top)
        parts.append(line("grid" if n else "axis", y))
        parts.append(
            format_html('<text x="{}" y="{}" text-anchor="end">{}</text>', LEFT - 6, short(y + 4), short_number(value))
        )
    return mark_safe("".join(parts))  # noqa: S308  (escaped above)


def labels(labels: Sequence[str], step: float) -> SafeString:
    """As many labels as fit, evenly, the first one always."""
    every = max(1, math.ceil(_LABEL_WIDTH / step))
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((short(LEFT + (n + 0.5) * step), HEIGHT - 6, label) for n, label in enumerate(labels) if n % every == 0),
    )
