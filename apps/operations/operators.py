"""Operators: the people of the installation itself, and the record of what they do."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction

from apps.accounts.models import User
from apps.accounts.services.passwords import require_good_password
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.operations.errors import NoSuchOperator
from apps.operations.models import OperatorEntry
from apps.tenants.audit_chain import GENESIS, entry_hash
from apps.tenants.models import Tenant
from apps.tenants.services import SYSTEM, ChainReport, record_audit

#: Any constant will do: whoever appends to the chain holds it until the commit, so that the chain cannot fork.
_CHAIN_LOCK = 7_264_002


@dataclass(frozen=True, slots=True)
class NewOperator:
    """password: in clear, for the one time it is shown; empty for somebody who had one."""

    email: str
    password: str


@transaction.atomic
def make_operator(*, email: str, password: str | None = None, name: str = "") -> NewOperator:
    """A person who may open `/operator/`: a new one, or one who signs in already and keeps their password.

    password: None draws one. The second factor is set up at the first sign-in. Raises InvalidInput.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput(fields={"email": list(error.messages)}) from None
    known = User.objects.filter(email=email).first()
    shown = "" if known else password or secrets.token_urlsafe(18)
    if known is None:
        require_good_password(shown, user=User(email=email, name=name))
        known = User.objects.create_user(email, shown, name=name)
    User.objects.filter(pk=known.pk).update(is_staff=True)
    _append(actor=SYSTEM, email=email, action="operator.made", target=known.public_id)
    return NewOperator(email, shown)


@transaction.atomic
def dismiss_operator(*, email: str) -> None:
    """They stay a person who signs in, but may not open `/operator/` any more. Raises NoSuchOperator."""
    known = User.objects.filter(email=email.strip().lower(), is_staff=True).first()
    if known is None:
        raise NoSuchOperator
    User.objects.filter(pk=known.pk).update(is_staff=False)
    _append(actor=SYSTEM, email=known.email, action="operator.dismissed", target=known.public_id)


def record_operation(
    *,
    operator: User,
    action: str,
    target: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    tenant: Tenant | None = None,
) -> OperatorEntry:
    """Appends to the operators' chain in the transaction of the change, and to the tenant's own when it has one.

    tenant: its scope must be open. action: `thing.verb`. Call it after the change: the chain is held until the commit.
    """
    if tenant is not None:
        facts = {"before": dict(before), "after": dict(after)}
        record_audit(tenant=tenant, actor=operator.public_id, action=f"operator.{action}", target=target, facts=facts)
    return _append(
        actor=operator.public_id,
        email=operator.email,
        action=action,
        target=target,
        tenant=tenant.public_id if tenant else "",
        before=before,
        after=after,
    )


def verify_operations() -> ChainReport:
    """Recomputes the whole chain; memory does not grow with it."""
    expected, count = GENESIS, 0
    for entry in OperatorEntry.objects.order_by("id").iterator(chunk_size=1_000):
        count += 1
        if entry.previous_hash != expected or entry.hash != _hash_of(entry):
            return ChainReport(count, entry.pk)
        expected = entry.hash
    return ChainReport(count, None)


def _append(
    *,
    actor: str,
    email: str,
    action: str,
    target: str,
    tenant: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> OperatorEntry:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
    head = OperatorEntry.objects.order_by("-id").values_list("hash", flat=True).first() or GENESIS
    entry = OperatorEntry(
        at=clock.now(), actor=actor, actor_email=email, action=action, target=target, tenant_reference=tenant,
        before=dict(before or {}), after=dict(after or {}), previous_hash=head,
    )  # fmt: skip
    entry.hash = _hash_of(entry)
    entry.save(force_insert=True)
    return entry


def _hash_of(entry: OperatorEntry) -> str:
    facts = {"before": entry.before, "after": entry.after, "email": entry.actor_email, "tenant": entry.tenant_reference}
    return entry_hash(
        entry.previous_hash, tenant_id=0, at=entry.at, actor=entry.actor, action=entry.action, target=entry.target,
        facts=facts,
    )  # fmt: skip
