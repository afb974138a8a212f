"""Names that people type: trimmed, bounded, printable."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import InvalidInput

#: Unicode categories that a one-line name never needs: control characters, lone surrogates, unassigned code points.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})


def require_name(value: Any, *, field: str = "name", limit: int = 120) -> str:
    """The value without surrounding space. limit: characters. Raises InvalidInput naming the field."""
    name = value.strip() if isinstance(value, str) else ""
    if not name:
        problem = _("Enter a value.")
    elif len(name) > limit:
        problem = _("Use at most %(limit)d characters.") % {"limit": limit}
    elif any(unicodedata.category(character) in _UNPRINTABLE for character in name):
        problem = _("Use printable characters on one line.")
    else:
        return name
    raise InvalidInput(_("The %(field)s cannot be used.") % {"field": field}, fields={field: [problem]})
