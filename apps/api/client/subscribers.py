"""Which end user calls: told by a token that the application's own server has signed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.http import HttpRequest

from apps.api.errors import SubscriberUnauthenticated
from apps.audience.models import Subscriber
from apps.core import clock
from apps.core.web_tokens import TokenRefused, read_hs256
from apps.realtime.errors import ApplicationDisabled
from apps.tenants.queries import ApplicationRecord, find_application
from apps.tenants.scope import tenant_scope

#: A token that leaks is good for so long at most.
LONGEST = timedelta(hours=24)
#: What a token for realtime channels claims; it opens nothing else.
_OF_CHANNEL_TOKENS = frozenset({"channel", "channels"})


@contextmanager
def signed_in(request: HttpRequest) -> Iterator[Subscriber]:
    """The calling subscriber, in the scope of its tenant. Raises SubscriberUnauthenticated, whatever is wrong with the
    token or the person, or ApplicationDisabled."""
    record, external_id = _claimed(request)
    with tenant_scope(record.tenant_id):
        people = Subscriber.objects.of(record.tenant_id).filter(application_id=record.application_pk)
        person = people.filter(external_id=external_id).first()
        if person is None:
            raise SubscriberUnauthenticated
        yield person


def _claimed(request: HttpRequest) -> tuple[ApplicationRecord, str]:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    found: list[ApplicationRecord] = []

    def secret_of(key: str) -> str | None:
        record = find_application(key=key[:64]) if "\0" not in key else None
        if record is None:
            return None
        found.append(record)
        return record.credentials.get(key)

    try:
        claims = read_hs256(token.strip(), secret_of=secret_of, now=clock.now(), longest=LONGEST)
    except TokenRefused:
        raise SubscriberUnauthenticated from None
    external_id = claims.get("sub")
    if not claims.keys().isdisjoint(_OF_CHANNEL_TOKENS):
        raise SubscriberUnauthenticated
    if scheme.lower() != "bearer" or not isinstance(external_id, str) or "\0" in external_id:
        raise SubscriberUnauthenticated
    if not found[0].enabled:
        raise ApplicationDisabled
    return found[0], external_id
