"""The slots of a run: its throttle's minutes are its own, the provider's days are shared by the application's runs."""

from __future__ import annotations

from dataclasses import replace

from apps.campaigns.models import CampaignRun, ProviderQuota
from apps.campaigns.planner import Rules
from apps.campaigns.planner.slots import DAY, MINUTE, Slots, Window
from apps.core import clock
from apps.messaging.content.rendering import Content
from apps.messaging.sending.strategies import first_routes
from apps.providers.allowances import limits_of_account, used_today
from apps.providers.base import Limits
from apps.tenants.models import Application


def slots_for(
    rules: Rules, limits: Limits, *, minutes: object = None, days: object = None, used: int = 0
) -> Slots | None:
    """None when nothing limits how many leave at once. minutes, days: what is taken, as Window writes it. used: of
    today's quota, by whomever."""
    per_minute = min((limit for limit in (rules.throttle, limits.per_minute) if limit is not None), default=None)
    windows = []
    if per_minute is not None:
        windows.append(Window(MINUTE, per_minute, minutes))  # type: ignore[arg-type]  # JSON
    if limits.per_day is not None:
        day = Window(DAY, limits.per_day, days, early=limits.day_begins)  # type: ignore[arg-type]  # JSON
        day.take_at_least(day.slot_of(clock.now()), used)
        windows.append(day)
    return Slots(*windows) if windows else None


def slots_of_run(run: CampaignRun, rules: Rules) -> Slots | None:
    """As far as they are taken. The provider's days are held until the commit."""
    route, application = first_of(run), run.message.application
    limits = limits_for(application, route, run.message.content)
    if limits.per_day is None:
        return slots_for(rules, limits, minutes=run.slots)
    used = used_today(application=application, provider=route)
    return slots_for(rules, limits, minutes=run.slots, days=_quota(application, route).slots, used=used)


def first_of(run: CampaignRun) -> str:
    """The route by which everybody is planned; under ALL the first of them."""
    return first_routes(run.message.strategy, run.message.routes)[0]


def slots_now(application: Application, route: str, rules: Rules, content: Content) -> Slots | None:
    """As a run that started now by this route, with these words, would find them."""
    limits = limits_for(application, route, content)
    if limits.per_day is None:
        return slots_for(rules, limits)
    quotas = ProviderQuota.objects.of(application.tenant_id).filter(application=application, provider=route)
    taken = quotas.values_list("slots", flat=True).first()
    return slots_for(rules, limits, days=taken, used=used_today(application=application, provider=route))


def limits_for(application: Application, route: str, content: Content) -> Limits:
    """Of the account that sends by this route: a day's quota of marketing holds for nobody who sends a service."""
    limits = limits_of_account(application=application, provider=route)
    is_service = bool(content) and all(words.get("purpose") == "service" for words in content.values())
    return replace(limits, per_day=None) if limits.marketing_only and is_service else limits


def keep_slots(run: CampaignRun, slots: Slots) -> None:
    """Writes down what is taken by now; the run itself is saved by the caller."""
    for window in slots.windows:
        if window.seconds == MINUTE:
            run.slots = window.to_json()
        else:
            quota = _quota(run.message.application, first_of(run))
            quota.slots = window.to_json()
            quota.save(update_fields=["slots"])


def _quota(application: Application, provider: str) -> ProviderQuota:
    """The row, held until the commit."""
    ProviderQuota.objects.bulk_create(
        [ProviderQuota(tenant_id=application.tenant_id, application=application, provider=provider)],
        ignore_conflicts=True,
    )
    rows = ProviderQuota.objects.of(application.tenant_id).select_for_update(no_key=True)
    return rows.get(application=application, provider=provider)
