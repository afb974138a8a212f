"""Makes something for each kind of identifier that a route can have. A new route parameter is added here.

The permission table makes them for the neighbour and asks for them; the generated requests make them for themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.core import ids
from apps.tenants.models import Application, Tenant
from apps.tenants.services import create_api_key

Maker = Callable[[Tenant, Application], str]


def _api_key(tenant: Tenant, application: Application) -> str:
    made = create_api_key(tenant=tenant, application=application, name="Made", scopes=["publish"])
    return made.api_key.public_id


#: Called inside the tenant's scope.
MAKERS: dict[str, Maker] = {
    "api_key_id": _api_key,
    "application_id": lambda tenant, application: application.application_id,
}


def unused(identifier: str) -> str:
    """An identifier of the same kind that nobody has."""
    prefix, separator, _rest = identifier.rpartition("_")
    return ids.encode(prefix, 2**40) if separator else "".join(reversed(identifier)) + "7"
