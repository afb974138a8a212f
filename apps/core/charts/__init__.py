"""Charts drawn on the server as accessible SVG: no script, no inline style, colours by class.

A chart says in words what it shows (`role="img"` and a label). The page puts its figures in a table beside it.
"""

from apps.core.charts.columns import Bar, bar_chart
from apps.core.charts.intervals import Interval, interval_chart
from apps.core.charts.lines import Line, line_chart
from apps.core.charts.rows import Row, row_chart

__all__ = [
    "Bar",
    "Interval",
    "Line",
    "Row",
    "bar_chart",
    "interval_chart",
    "line_chart",
    "row_chart",
]
