"""Idempotency-Key: a repeated request gets the first one's answer and does nothing.

The row is inserted in the transaction of the work itself. A twin waits on the unique index; a crash or a refusal rolls
the row back with everything else, so only what was done is remembered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import psycopg
from django.db import IntegrityError, OperationalError, connection, transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from apps.api.authentication import Principal
from apps.api.errors import IdempotencyKeyBusy, IdempotencyKeyReused, InvalidIdempotencyKey
from apps.api.models import IdempotencyRecord
from apps.core import clock
from apps.tenants.scope import CrossTenantRole, all_tenants
from apps.tenants.secrets import seal_for, unseal_for

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
#: How long a twin waits for the first one.
_PATIENCE = "1s"
_FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """route: the method and the route's pattern. full_path and body: what must be the same when it is repeated."""

    key: str
    route: str
    full_path: str
    body: Any

    @property
    def request_hash(self) -> str:
        canonical = orjson.dumps([self.full_path, self.body], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()


def answer_once(
    principal: Principal, identity: RequestIdentity, work: Callable[[], Response], *, retention: timedelta
) -> Response:
    """Runs the work and keeps its answer, or gives the kept answer. Must run inside the work's own transaction.

    Raises InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyKeyBusy.
    """
    if not _KEY.fullmatch(identity.key):
        raise InvalidIdempotencyKey
    record = _claim(principal, identity, retention)
    if record is None:
        return _replay(principal, identity)
    response = work()
    body = JSONRenderer().render(response.data).decode() if response.data is not None else ""
    record.status = response.status_code
    record.body_sealed = seal_for(principal.tenant, body, context=_context(record))
    record.save(update_fields=["status", "body_sealed"])
    return response


def _claim(principal: Principal, identity: RequestIdentity, retention: timedelta) -> IdempotencyRecord | None:
    """The inserted row, or None when there is one already."""
    now = clock.now()
    _rows(principal, identity).filter(expires_at__lte=now).delete()
    record = IdempotencyRecord(
        tenant=principal.tenant, application=principal.application, route=identity.route, key=identity.key,
        request_hash=identity.request_hash, created_at=now, expires_at=now + retention,
    )  # fmt: skip
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
            record.save(force_insert=True)
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except IntegrityError:
        return None
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise IdempotencyKeyBusy(retry_after=1) from None
        raise
    return record


def _replay(principal: Principal, identity: RequestIdentity) -> Response:
    record = _rows(principal, identity).get()
    if record.request_hash != identity.request_hash:
        raise IdempotencyKeyReused
    body = unseal_for(principal.tenant, record.body_sealed, context=_context(record))
    return Response(
        json.loads(body) if body else None, status=record.status, headers={"Idempotent-Replayed": "true"}
    )  # fmt: skip


def _rows(principal: Principal, identity: RequestIdentity) -> Any:
    return IdempotencyRecord.objects.of(principal.tenant).filter(
        application=principal.application, route=identity.route, key=identity.key
    )


def _context(record: IdempotencyRecord) -> str:
    return f"api_idempotencyrecord|body_sealed|{record.pk}"


def forget_expired() -> int:
    """Deletes a bounded number of answers that are kept no longer, of all tenants. Opens the DISPATCH scope itself."""
    with all_tenants(CrossTenantRole.DISPATCH):
        expired = IdempotencyRecord.objects.get_queryset().filter(expires_at__lte=clock.now())
        oldest = expired.order_by("expires_at").values("pk")[:_FORGOTTEN_AT_ONCE]
        deleted, _per_model = IdempotencyRecord.objects.get_queryset().filter(pk__in=oldest).delete()
    return deleted
