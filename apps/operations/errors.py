"""What can stop a start, said in words an operator can act on; and what operators are refused."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class StartRefused(RuntimeError):
    """The run cannot start; the message says why and what to do."""


class NoSuchOperator(HouseError):
    category = Category.NOT_FOUND
    code = "no_such_operator"
    default_message = _("No operator signs in with this address.")
