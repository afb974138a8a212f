"""The audit log: one append-only hash chain per tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core import clock
from apps.tenants.audit_chain import GENESIS, entry_hash
from apps.tenants.models import AuditEntry, Tenant

#: The actor of what nobody asked for: commands, ticks, sign-up.
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """entries: how many were read. broken_at: row number of the first that does not fit, or None."""

    entries: int
    broken_at: int | None


def record_audit(
    *, tenant: Tenant, actor: str, action: str, target: str = "", facts: Mapping[str, Any] | None = None
) -> AuditEntry:
    """Appends to the chain in the caller's transaction, so that the change and its record stand or fall together.

    actor: public id of a user or key, or SYSTEM. action: `thing.verb`. facts: small JSON without secrets and floats.
    """
    # The tenant's row stands for the head of its chain; without the lock two transactions would fork it.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    head = AuditEntry.objects.of(tenant).order_by("-id").values_list("hash", flat=True).first() or GENESIS
    entry = AuditEntry(
        tenant=tenant, at=clock.now(), actor=actor, action=action, target=target, facts=dict(facts or {}),
        previous_hash=head,
    )  # fmt: skip
    entry.hash = _hash_of(entry)
    entry.save(force_insert=True)
    return entry


def verify_audit(*, tenant: Tenant) -> ChainReport:
    """Recomputes the whole chain; memory does not grow with it."""
    expected, count = GENESIS, 0
    for entry in AuditEntry.objects.of(tenant).order_by("id").iterator(chunk_size=1_000):
        count += 1
        if entry.previous_hash != expected or entry.hash != _hash_of(entry):
            return ChainReport(count, entry.pk)
        expected = entry.hash
    return ChainReport(count, None)


def _hash_of(entry: AuditEntry) -> str:
    return entry_hash(
        entry.previous_hash, tenant_id=entry.tenant_id, at=entry.at, actor=entry.actor, action=entry.action,
        target=entry.target, facts=entry.facts,
    )  # fmt: skip
