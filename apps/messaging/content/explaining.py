"""What a marketer reads when a text does not work as a template, and where in the text it is."""

from __future__ import annotations

from django.utils.translation import gettext as _
from liquid.exceptions import LiquidError, LiquidSyntaxError, ResourceLimitError, UndefinedError


def explain(error: LiquidError) -> str:
    """One sentence without a full stop. The library's own words, which are English, only where they tell more."""
    reason = str(error.message)
    if isinstance(error, UndefinedError):
        name = reason.removesuffix(" is undefined")
        return _("%(name)s has no value, and the text gives no default") % {"name": name}
    if isinstance(error, ResourceLimitError):
        return _("this becomes too large or takes too long")
    if isinstance(error, LiquidSyntaxError):
        return _("this is not Liquid: %(reason)s") % {"reason": reason}
    return misfit(reason)


def misfit(reason: str) -> str:
    """A filter that did not expect this value."""
    return _("this value does not work here: %(reason)s") % {"reason": reason}


def unknown_variable(name: str) -> str:
    return _("unknown variable %(name)s") % {"name": name}


def unknown_filter(name: str) -> str:
    return _("unknown filter %(name)s") % {"name": name}


def place_of_error(error: LiquidError) -> tuple[int, int]:
    """Line, counted from 1, and column, counted from 0."""
    try:
        context = error.context()
    except ValueError:  # the library cannot place an error behind the last character
        return 1, 0
    return (context[0], context[1]) if context else (1, 0)
