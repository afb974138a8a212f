"""Entries of the tenant's chain, with names instead of ids where somebody still has one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from apps.tenants.models import ApiKey, AuditEntry, Membership, Tenant


@dataclass(frozen=True, slots=True)
class Row:
    """actor_name: empty when nobody of the tenant has that id (any more)."""

    entry: AuditEntry
    actor_name: str

    @property
    def facts(self) -> str:
        return json.dumps(self.entry.facts, ensure_ascii=False, sort_keys=True) if self.entry.facts else ""


def entries_of(*, tenant: Tenant, query: str) -> QuerySet[AuditEntry]:
    """Newest first. query: any part of who, what, what about, or the facts; a member's address finds what they did."""
    found = AuditEntry.objects.of(tenant).order_by("-id")
    if not query:
        return found
    people = Membership.objects.of(tenant).select_related("user").filter(
        Q(user__email__icontains=query) | Q(user__name__icontains=query)
    )  # fmt: skip
    actors = [membership.user.public_id for membership in people[:100]]
    told = Q(actor__icontains=query) | Q(action__icontains=query) | Q(target__icontains=query)
    return found.annotate(told=Cast("facts", TextField())).filter(told | Q(told__icontains=query) | Q(actor__in=actors))


def named(entries: Iterable[AuditEntry], *, tenant: Tenant) -> list[Row]:
    people = Membership.objects.of(tenant).select_related("user")
    names = {membership.user.public_id: membership.user.email for membership in people}
    names |= {key.public_id: key.name for key in ApiKey.objects.of(tenant)}
    return [Row(entry, names.get(entry.actor, "")) for entry in entries]


def csv_rows(rows: Sequence[Row]) -> Iterator[list[str]]:
    """A header, then a row per entry. The hashes let a reader check the chain."""
    yield ["at", "actor", "actor_name", "action", "target", "facts", "previous_hash", "hash"]
    for row in rows:
        entry = row.entry
        yield [
            entry.at.isoformat(), entry.actor, row.actor_name, entry.action, entry.target, row.facts,
            entry.previous_hash, entry.hash,
        ]  # fmt: skip
