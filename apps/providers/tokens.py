"""Tokens shared by all processes: made by one of them at a time, kept sealed, renewed before they end.

Signing or fetching happens outside every transaction: a claim with a time limit stands for the lock, so a process that
dies while it makes a token holds nobody up for longer than that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from django.db.models import Q

from apps.core import clock
from apps.providers.models import AccessToken
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.secrets import seal_for, unseal_for

_CLAIM = timedelta(seconds=20)
_POLL = 0.05


class TokenUnavailable(Exception):
    """No usable token, and whoever is making one is not done in time."""


class TokenRefused(Exception):
    """The network does not give a token. is_final: it said no, as opposed to nothing."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.reason, self.is_final = reason, is_final


@dataclass(frozen=True, slots=True)
class Token:
    """text: goes into a header. issued_at, expires_at: when it was made and when the network stops taking it."""

    text: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """renew_after: age at which a new one is made while the old still serves. keep_for: age below which none is made,
    even when the network refuses the old. wait: seconds to wait for another process that makes one."""

    renew_after: timedelta
    keep_for: timedelta = timedelta(0)
    wait: float = 10.0


def shared_token(
    *, tenant_id: int, subject: str, policy: TokenPolicy, make: Callable[[], Token], refused: str = ""
) -> Token:
    """The tenant's token for this subject. refused: the text of one that the network does not take any more.

    Opens its own scopes; call it outside of any. Raises TokenUnavailable and whatever `make` raises.
    """
    until = time.monotonic() + policy.wait
    while True:
        known = _known_or_claimed(tenant_id, subject, policy, refused)
        if isinstance(known, Token):
            return known
        if known is _Turn.OURS:
            return _renew(tenant_id, subject, make)
        if time.monotonic() > until:
            raise TokenUnavailable(subject)
        time.sleep(_POLL)


class _Turn(Enum):
    """Whose it is to make a token."""

    OURS = "ours"
    THEIRS = "theirs"


def _known_or_claimed(tenant_id: int, subject: str, policy: TokenPolicy, refused: str) -> Token | _Turn:
    now = clock.now()
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        row, _ = AccessToken.objects.get_or_create(tenant=tenant, subject=subject)
        known = _read(tenant, row)
        if known is not None and known.issued_at + policy.keep_for > now:
            return known
        usable = known if known is not None and known.text != refused and known.expires_at > now else None
        if usable is not None and usable.issued_at + policy.renew_after > now:
            return usable
        # `issued_at` as well: between our look and our claim another process may have finished.
        free = Q(renewing_until=None) | Q(renewing_until__lt=now)
        claimed = AccessToken.objects.of(tenant).filter(free, pk=row.pk, issued_at=row.issued_at)
        if claimed.update(renewing_until=now + _CLAIM):
            return _Turn.OURS
    return usable or _Turn.THEIRS


def _renew(tenant_id: int, subject: str, make: Callable[[], Token]) -> Token:
    try:
        made = make()
    except BaseException:
        _record(tenant_id, subject, None)
        raise
    _record(tenant_id, subject, made)
    return made


def _record(tenant_id: int, subject: str, made: Token | None) -> None:
    """Ends our claim, with a token or without."""
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        row = AccessToken.objects.of(tenant).filter(subject=subject)
        if made is None:
            row.update(renewing_until=None)
            return
        sealed = seal_for(tenant, made.text, context=_context(subject))
        row.update(token_sealed=sealed, issued_at=made.issued_at, expires_at=made.expires_at, renewing_until=None)


def _read(tenant: Tenant, row: AccessToken) -> Token | None:
    if row.issued_at is None or row.expires_at is None:
        return None
    return Token(unseal_for(tenant, row.token_sealed, context=_context(row.subject)), row.issued_at, row.expires_at)


def _context(subject: str) -> str:
    return f"providers_accesstoken|token_sealed|{subject}"
