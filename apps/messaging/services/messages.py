"""Messages: accepting one, and stopping it. Accepted means committed; workers are rung for after the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.audience.queries import audience_of
from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.services import require_allowance
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.core.text import require_name
from apps.messaging.bell import SEND, ring
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.errors import HandlingInvalid, MessageEnded, NobodyNamed, RouteMissing
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.states import MessageState, UnknownPolicy
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Message
from apps.messaging.receipts.following import read_follow_up
from apps.messaging.sending.strategies import Strategy, plan_for
from apps.providers.errors import UnknownProvider
from apps.providers.registry import provider_names
from apps.tenants.models import Application, Tenant
from apps.tenants.services import require_not_suspended

MAX_RECIPIENTS = 1_000
MAX_TTL = timedelta(days=28)
#: Seconds that somebody has for a receipt before the next route.
FALLBACK_LEAST, FALLBACK_MOST = 1, 7 * 86_400
COLLAPSE_KEY_MOST = 64
_IDENTITY = ("external_id", "pk", "language")


def require_routes(routes: Sequence[str]) -> list[str]:
    """Provider names in the order to try. Raises RouteMissing, UnknownProvider."""
    if not routes or len(set(routes)) != len(routes):
        raise RouteMissing(fields={"routes": [RouteMissing.default_message]})
    unknown = [name for name in routes if name not in provider_names()]
    if unknown:
        raise UnknownProvider(fields={"routes": [UnknownProvider.default_message]}, details={"routes": unknown})
    return list(routes)


def require_follow_up(follow_up: object) -> dict[str, Any]:
    """As it is stored. Raises FollowUpInvalid."""
    return read_follow_up(follow_up, has_public_url=bool(settings.PUBLIC_URL)).to_json()


def require_handling(
    *, fallback_after: int | None = None, is_urgent: bool = True, collapse_key: str = ""
) -> dict[str, Any]:
    """How a message is handed on, as it is stored. Raises HandlingInvalid."""
    if fallback_after is not None and not FALLBACK_LEAST <= fallback_after <= FALLBACK_MOST:
        bounds = {"least": FALLBACK_LEAST, "most": FALLBACK_MOST}
        raise _refusal("fallback_after", _("Use whole seconds from %(least)d to %(most)d.") % bounds)
    if len(collapse_key) > COLLAPSE_KEY_MOST or not collapse_key.isprintable():
        raise _refusal("collapse_key", _("At most 64 characters, without control characters."))
    return {"fallback_after": fallback_after, "is_urgent": is_urgent, "collapse_key": collapse_key}


def _refusal(field: str, sentence: Any) -> HandlingInvalid:
    return HandlingInvalid(sentence, fields={field: [sentence]})


def open_message(
    *,
    tenant: Tenant,
    application: Application,
    content: Content,
    routes: Sequence[str],
    unknown_policy: UnknownPolicy,
    origin: str = "",
    name: str = "",
    variables: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    **rules: Any,
) -> Message:
    """A message to which deliveries may be added until it is planned. The caller checked content and routes.

    rules: what a Message has besides: category, quiet_hours, fallback_timezone, throttle, follow_up, strategy,
    fallback_after, is_urgent, collapse_key, fuse, fuse_since, variants.
    """
    return Message.objects.create(
        tenant=tenant,
        application=application,
        origin=origin,
        name=name,
        content={language: dict(fields) for language, fields in content.items()},
        variables=dict(variables or {}),
        routes=list(routes),
        default_language=tenant.language,
        unknown_policy=unknown_policy,
        expires_at=expires_at,
        **rules,
    )


def accept_message(
    *,
    tenant: Tenant,
    application: Application,
    content: Content,
    routes: Sequence[str],
    external_ids: Sequence[str],
    name: str = "",
    variables: Mapping[str, Any] | None = None,
    unknown_policy: UnknownPolicy = UnknownPolicy.AT_LEAST_ONCE,
    ttl: timedelta | None = None,
    follow_up: Mapping[str, Any] | None = None,
    strategy: Strategy = Strategy.IN_SEQUENCE,
    **handling: Any,
) -> Message:
    """One send to named subscribers, on the same ledger as campaigns. When it returns and commits, it is accepted.

    Raises TemplateInvalid, ContentMissing, ContentTooLarge, RouteMissing, UnknownProvider, NobodyNamed (with the ids
    that do not exist; then nobody gets anything), InvalidInput, FollowUpInvalid, HandlingInvalid, TenantSuspended,
    QuotaExceeded, SpendCapReached.
    handling: fallback_after, is_urgent, collapse_key.
    """
    require_not_suspended(tenant)
    require_handling(**handling)
    compile_content(content)
    following = require_follow_up(follow_up or {})
    wanted = list(dict.fromkeys(external_ids))
    if not 0 < len(wanted) <= MAX_RECIPIENTS:
        sentence = _("Name 1 to %(most)d subscribers.") % {"most": MAX_RECIPIENTS}
        raise InvalidInput(sentence, fields={"external_ids": [sentence]})
    people = _named(tenant, application, wanted)
    routes = require_routes(routes)
    first = require_first_routes(strategy, routes)
    sends = len(people) * len(first)
    require_allowance(tenant=tenant, meter=CAMPAIGN_SENDS, quantity=sends, application_id=application.pk)
    message = open_message(
        tenant=tenant,
        application=application,
        content=content,
        routes=routes,
        strategy=strategy,
        unknown_policy=unknown_policy,
        name=require_name(name) if name else "",
        variables=variables,
        expires_at=clock.now() + min(ttl, MAX_TTL) if ttl is not None else None,
        follow_up=following,
        **handling,
    )
    tally, now = Tally(tenant.pk, message.pk), clock.now()
    for route in first:
        ledger.plan_deliveries(
            tenant_id=tenant.pk, message_id=message.pk, number=0, route=route, due_at=now, due=list(people),
            rank=message.rank,
        )  # fmt: skip
        tally.add("planned", people.values(), route=route, at=now)
    tally.write()
    transaction.on_commit(partial(ring, SEND))
    return message.changed(is_planned=True)


def require_first_routes(strategy: Strategy, routes: Sequence[str]) -> tuple[str, ...]:
    """Those that are asked at once. Raises RouteMissing when the strategy leaves none."""
    try:
        return plan_for(strategy, routes).at_first
    except ValueError:
        raise RouteMissing(fields={"routes": [RouteMissing.default_message]}) from None


def _named(tenant: Tenant, application: Application, external_ids: list[str]) -> dict[int, str]:
    """Row number -> language."""
    audience = audience_of(tenant=tenant, application=application, audience={"external_ids": external_ids})
    found = {external_id: (pk, language) for external_id, pk, language in audience.values_list(*_IDENTITY)}
    missing = [external_id for external_id in external_ids if external_id not in found]
    if missing:
        raise NobodyNamed(fields={"external_ids": [NobodyNamed.default_message]}, details={"external_ids": missing})
    return dict(sorted(found.values()))


def pause_message(*, tenant: Tenant, message: Message) -> Message:
    """Acts within a slice: what is in flight is finished, nothing else leaves. Raises MessageEnded."""
    return _stand(tenant, message, MessageState.PAUSED)


def resume_message(*, tenant: Tenant, message: Message) -> Message:
    """Its fuse begins to count anew."""
    transaction.on_commit(partial(ring, SEND))
    return _stand(tenant, message, MessageState.OPEN).changed(paused_for="", fuse_since=clock.now())


def cancel_message(*, tenant: Tenant, message: Message) -> Message:
    """What has not left is suppressed as canceled by the workers, chunk by chunk; the flag alone stops it at once."""
    transaction.on_commit(partial(ring, SEND))
    return _stand(tenant, message, MessageState.CANCELLED)


def _stand(tenant: Tenant, message: Message, state: MessageState) -> Message:
    locked = Message.objects.of(tenant).select_for_update(no_key=True).get(pk=message.pk)
    if locked.ended_at is not None or locked.state == MessageState.CANCELLED:
        raise MessageEnded
    return locked.changed(state=state)
