"""Envelope encryption: a tenant's secrets are sealed by its own data key, which the installation's keys seal.

Deleting a tenant's row therefore shreds every secret it had, in backups too.
"""

from __future__ import annotations

import secrets

from apps.core import sealing
from apps.tenants.models import Tenant


def new_data_key(tenant_id: int) -> str:
    """A fresh 32-byte key, sealed for the tenant's `data_key` column."""
    return sealing.seal(secrets.token_hex(32), context=_context_of_data_key(tenant_id))


def seal_for(tenant: Tenant, plaintext: str, *, context: str) -> str:
    """context: `table|column|row`; a sealed text moved to another place does not open."""
    return sealing.seal(plaintext, context=context, keys=_data_keys(tenant))


def unseal_for(tenant: Tenant, sealed: str, *, context: str) -> str:
    """Raises SealBroken."""
    return sealing.unseal(sealed, context=context, keys=_data_keys(tenant))


def context_of_secret(key: str) -> str:
    """What the sealed secret of the credential with this key is bound to."""
    return f"tenants_credential|secret_sealed|{key}"


def _data_keys(tenant: Tenant) -> tuple[bytes, ...]:
    return (bytes.fromhex(sealing.unseal(tenant.data_key, context=_context_of_data_key(tenant.pk))),)


def _context_of_data_key(tenant_id: int) -> str:
    return f"tenants_tenant|data_key|{tenant_id}"
