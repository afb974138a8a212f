"""What the pages show of the routes and accounts of an application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.charts import Bar, bar_chart
from apps.dashboard.route_names import in_usual_order, route_name
from apps.providers import breaker
from apps.providers.advice import advice_for
from apps.providers.base import Limits
from apps.providers.breaker import Circuit, State
from apps.providers.health import Health, LastError, provider_health
from apps.providers.models import ProviderCredential
from apps.providers.registry import limits_of, needs_of, provider_names
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

#: Days before its end that a credential is pointed at; days after which a key of Apple's should be another.
SOON, OLD = 30, 365
#: Of what was sent in 24 hours, the part that failed from which an account is called failing.
_FAILING = 0.2


@dataclass(frozen=True, slots=True)
class Account:
    """One credential with its health. state: none paused open failing healthy idle."""

    credential: ProviderCredential
    health: Health
    is_first: bool

    @property
    def state(self) -> str:
        if self.health.paused:
            return "paused"
        if self.health.state in {State.OPEN, State.HALF_OPEN}:
            return "open"
        sent = self.health.accepted + self.health.failed
        if sent and self.health.failed >= _FAILING * sent:
            return "failing"
        return "healthy" if sent else "idle"

    @property
    def days_left(self) -> int | None:
        ends = self.credential.expires_at
        return None if ends is None else (ends - clock.now()).days

    @property
    def is_ending(self) -> bool:
        return self.days_left is not None and self.days_left < SOON

    @property
    def is_old_key(self) -> bool:
        """Apple ends no key by itself, so nothing but its age says that it should be another."""
        return self.credential.provider == "apns" and clock.now() - self.credential.created_at > timedelta(days=OLD)


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the list. accounts: newest first. needs_account: it sends nothing without one."""

    name: str
    label: Any
    needs_account: bool
    accounts: Sequence[Account]
    limits: Limits

    @property
    def state(self) -> str:
        if not self.needs_account:
            return "ready"
        return self.accounts[0].state if self.accounts else "none"


def routes_of(*, tenant: Tenant, application: Application) -> list[Route]:
    """Every route there is. Opens its own scope."""
    known = accounts_of(tenant=tenant, application=application)
    return [
        Route(
            name, route_name(name), bool(needs_of(name).fields),
            [account for account in known if account.credential.provider == name], limits_of(name),
        )
        for name in in_usual_order(provider_names())
    ]  # fmt: skip


def accounts_of(*, tenant: Tenant, application: Application, provider: str = "") -> list[Account]:
    """Those not retired, newest first. Opens its own scope."""
    healths = provider_health(tenant=tenant, application=application, provider=provider)
    with tenant_scope(tenant):
        rows = ProviderCredential.objects.of(tenant).filter(application=application, retired_at=None)
        by_id = {row.public_id: row for row in rows}
    seen: set[str] = set()
    found = []
    for health in healths:
        if health.credential_id in by_id:
            found.append(Account(by_id[health.credential_id], health, health.provider not in seen))
            seen |= set() if health.paused else {health.provider}
    return found


@dataclass(frozen=True, slots=True)
class ErrorRow:
    error: LastError
    advice: Any


def error_rows(health: Health) -> list[ErrorRow]:
    return [ErrorRow(error, advice_for(error.result, error.reason)) for error in health.errors]


def other_keys_of_team(*, tenant: Tenant, credential: ProviderCredential) -> list[str]:
    """Ids of further Apple keys of the same team that any application of the tenant sends with. Inside the scope."""
    team, key = credential.shown.get("team_id"), credential.shown.get("key_id")
    if credential.provider != "apns" or not team:
        return []
    active = ProviderCredential.objects.of(tenant).filter(provider="apns", retired_at=None, paused_at=None)
    keys = active.filter(shown__team_id=team).values_list("shown__key_id", flat=True)
    return sorted({str(other) for other in keys} - {str(key)})


def charts_of(health: Health, zone: ZoneInfo) -> list[SafeString]:
    """Accepted and not accepted, by hour."""
    accepted = [hour.accepted for hour in health.hours]
    failed = [hour.failed + hour.throttled + hour.unavailable + hour.unknown for hour in health.hours]
    hours = [date_format(hour.start.astimezone(zone), "H:i") for hour in health.hours]
    return [
        _chart(hours, accepted, str(_("Accepted")), 1),
        _chart(hours, failed, str(_("Failed, throttled or unanswered")), 4),
    ]


def _chart(hours: Sequence[str], values: Sequence[int], title: str, series: int) -> SafeString:
    bars = [Bar(hour, value, f"{hour}: {intcomma(value)}") for hour, value in zip(hours, values, strict=True)]
    description = _("%(count)s in 24 hours") % {"count": intcomma(sum(values))}
    return bar_chart(bars, title=title, description=description, series=series)


def route_states(*, tenant: Tenant, application: Application) -> dict[str, str]:
    """Route -> `none`, `ready`, `paused` or `open`, as somebody who chooses routes must know. Inside the scope."""
    known = ProviderCredential.objects.of(tenant).filter(application=application, retired_at=None).order_by("-id")
    usable: dict[str, str] = {}
    paused: set[str] = set()
    for row in known:
        if row.paused_at is None:
            usable.setdefault(row.provider, row.public_id)
        else:
            paused.add(row.provider)
    states = {}
    for name in provider_names():
        if not needs_of(name).fields:
            states[name] = "ready"
        elif name in usable:
            circuit = Circuit(tenant.home_region, application.application_id, name, usable[name])
            states[name] = "open" if breaker.look(circuit).state in {State.OPEN, State.HALF_OPEN} else "ready"
        else:
            states[name] = "paused" if name in paused else "none"
    return states
