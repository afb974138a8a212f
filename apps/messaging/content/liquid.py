"""The tenants' template language: Liquid without files, with bounds on loops, values, output and time.

python-liquid bounds loops and output; what it leaves open is closed here: a filter's result (`replace` in a chain grows
without limit), ranges given to filters (`(1..100000000) | join`), and the widths that `date` hands to strftime.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from liquid import Environment, FalsyStrictUndefined, Undefined
from liquid.exceptions import FilterArgumentError

LOOP_LIMIT = 1_000
VALUE_LIMIT = 64 * 1024
OUTPUT_LIMIT = 16 * 1024
_WIDTH = re.compile(r"%[^a-zA-Z%]*\d")


class Unbounded(FilterArgumentError):
    """A filter was asked for more than it may give."""


class TenantEnvironment(Environment):
    loop_iteration_limit = LOOP_LIMIT
    local_namespace_limit = VALUE_LIMIT
    output_stream_limit = OUTPUT_LIMIT
    block_nesting_limit: ClassVar[int] = 30
    context_depth_limit = 30

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in ("include", "render"):
            del self.tags[tag]
        self.filters = {name: _bounded(name, function) for name, function in self.filters.items()}


def strict_environment() -> TenantEnvironment:
    """A bare missing variable is an error; `| default:` and `{% if %}` work on it."""
    return TenantEnvironment(undefined=FalsyStrictUndefined, strict_filters=True)


def lenient_environment() -> TenantEnvironment:
    """A missing variable is empty: to try a template without a person."""
    return TenantEnvironment(undefined=Undefined, strict_filters=True)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # keeps the flags python-liquid reads from the function
    def bounded(value: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(value, range) and len(value) > LOOP_LIMIT:
            raise Unbounded(f"{name}: a range of more than {LOOP_LIMIT} numbers", token=None)
        if name.startswith("replace"):
            _refuse_growth(str(value), *arguments)
        elif name == "date" and arguments and _WIDTH.search(str(arguments[0])):
            raise Unbounded("date: a width is not allowed", token=None)
        result = function(value, *arguments, **named)
        if _too_large(result):
            raise Unbounded(f"{name}: the result is too large", token=None)
        return result

    return bounded


def _too_large(result: Any) -> bool:
    if isinstance(result, int):
        return abs(result) > 10**18
    return isinstance(result, str | list) and len(result) > VALUE_LIMIT


def _refuse_growth(text: str, old: Any, new: Any = "", *_more: Any) -> None:
    if (text.count(str(old)) + 1) * len(str(new)) > VALUE_LIMIT:
        raise Unbounded("replace: the result is too large", token=None)
