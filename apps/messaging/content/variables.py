"""Which attributes of a person a template cannot do without. Pure, by walking the parsed template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liquid import BoundTemplate, Node, RenderContext
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode


def needed_attributes(template: BoundTemplate, source: str) -> Iterator[tuple[str, int, int]]:
    """(name, line, column) of each printed `subscriber.<name>` with neither a `default` nor an `if` around it."""
    static = RenderContext(template)
    for node in template.nodes:
        yield from _needed_below(node, frozenset(), static, source)


def place_of(index: int, source: str) -> tuple[int, int]:
    """Line (from 1) and column (from 0) of a character."""
    before = source[:index]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)


def _needed_below(
    node: Node, guarded: frozenset[str], static: RenderContext, source: str
) -> Iterator[tuple[str, int, int]]:
    if isinstance(node, OutputNode):
        name = _printed_attribute(node.expression)
        if name is not None and name not in guarded:
            yield name, *place_of(node.expression.token.start_index, source)
        return
    here = guarded | {name for expression in node.expressions() for name in _attributes_in(expression)}
    for child in node.children(static):
        yield from _needed_below(child, here, static, source)


def _printed_attribute(expression: Any) -> str | None:
    if not isinstance(expression, FilteredExpression):
        return None
    if any(step.name == "default" for step in expression.filters or ()):
        return None
    return _attribute(expression.left)


def _attribute(expression: Any) -> str | None:
    if isinstance(expression, Path) and len(expression.path) > 1 and expression.path[0] == "subscriber":
        return str(expression.path[1])
    return None


def _attributes_in(expression: Any) -> Iterator[str]:
    name = _attribute(expression)
    if name is not None:
        yield name
    for child in expression.children():
        yield from _attributes_in(child)
