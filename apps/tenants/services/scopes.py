"""Which scopes a key or client may be given."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext as _

from apps.core.errors import InvalidInput
from apps.tenants.errors import ScopeNotAllowed
from apps.tenants.permissions import KEY_SCOPES


def require_scopes(scopes: Collection[str], allowed: Collection[str]) -> None:
    """scopes: at least one, out of KEY_SCOPES. allowed: what the maker may hand on.

    Raises InvalidInput, ScopeNotAllowed.
    """
    unknown = sorted(set(scopes) - KEY_SCOPES)
    if not scopes or unknown:
        problem = _("Unknown: %(names)s.") % {"names": ", ".join(unknown)} if unknown else _("Choose at least one.")
        raise InvalidInput(_("These scopes cannot be used."), fields={"scopes": [problem]})
    excess = sorted(set(scopes) - set(allowed))
    if excess:
        raise ScopeNotAllowed(fields={"scopes": [_("Not yours to give: %(names)s.") % {"names": ", ".join(excess)}]})
