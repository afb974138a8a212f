"""Opening a tenant."""

from __future__ import annotations

from zoneinfo import available_timezones

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.core.text import require_name
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.secrets import new_data_key
from apps.tenants.services.audit import record_audit


@transaction.atomic
def open_tenant(*, name: str, owner: User, language: str = "en", timezone: str = "UTC") -> Tenant:
    """A tenant with its first owner. Opens the new tenant's scope itself and leaves it again.

    language: one of settings.LANGUAGES. timezone: an IANA name. Raises InvalidInput.
    """
    name = require_name(name)
    _require_known("language", language, {code for code, _name in settings.LANGUAGES})
    _require_known("timezone", timezone, available_timezones())
    tenant_id = _next_tenant_id()
    # The policy on tenants_tenant lets a row in only under its own scope, so the number is drawn first.
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.create(
            pk=tenant_id, name=name, language=language, timezone=timezone, home_region=settings.HOME_REGION,
            data_key=new_data_key(tenant_id),
        )  # fmt: skip
        Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER)
        record_audit(tenant=tenant, actor=owner.public_id, action="tenant.opened", target=tenant.public_id)
    return tenant


def _next_tenant_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('tenants_tenant', 'id'))")
        (number,) = cursor.fetchone()
    return int(number)


def _require_known(field: str, value: str, known: set[str]) -> None:
    if value not in known:
        raise InvalidInput(_("The %(field)s is not known.") % {"field": field}, fields={field: [_("Not known.")]})
