"""Which providers there are. Built-in ones are named here; others are found by entry point or dotted path.

A package adds one with an entry point in the group `pushsaas.providers` whose value is a callable `Sender -> Provider`;
an installation adds one for itself with `PUSHSAAS_PROVIDERS=name=package.module:callable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from django.conf import settings

from apps.providers.base import Limits, Needs, Provider, Sender
from apps.providers.errors import UnknownProvider

Factory = Callable[[Sender], Provider]

GROUP = "pushsaas.providers"
_BUILT_IN: Mapping[str, str] = {
    "apns": "apps.providers.apns.provider:ApnsProvider",
    "console": "apps.providers.console:ConsoleProvider",
    "email": "apps.providers.email.provider:EmailProvider",
    "fcm": "apps.providers.fcm.provider:FcmProvider",
    "harmony": "apps.providers.vendors.harmony:HarmonyProvider",
    "honor": "apps.providers.vendors.honor:HonorProvider",
    "huawei": "apps.providers.vendors.huawei:HuaweiProvider",
    "meizu": "apps.providers.vendors.meizu:MeizuProvider",
    "oppo": "apps.providers.vendors.oppo:OppoProvider",
    "realtime": "apps.providers.realtime:RealtimeProvider",
    "vivo": "apps.providers.vendors.vivo:VivoProvider",
    "webhook": "apps.providers.webhook:WebhookProvider",
    "webpush": "apps.providers.webpush.provider:WebPushProvider",
    "xiaomi": "apps.providers.vendors.xiaomi:XiaomiProvider",
}


@lru_cache(maxsize=1)
def _places() -> dict[str, EntryPoint]:
    named = dict(pair.split("=", 1) for pair in settings.PROVIDERS)
    ours = [EntryPoint(name, place, GROUP) for name, place in {**_BUILT_IN, **named}.items()]
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *ours)}


@lru_cache(maxsize=64)
def _factory(name: str) -> Factory:
    entry = _places().get(name)
    if entry is None:
        raise UnknownProvider(details={"provider": name})
    factory: Factory = entry.load()
    return factory


def provider_names() -> list[str]:
    return sorted(_places())


def needs_of(name: str) -> Needs:
    """What the provider of this name needs of a tenant. Raises UnknownProvider."""
    needs: Needs = getattr(_factory(name), "needs", Needs())
    return needs


def limits_of(name: str) -> Limits:
    """What the provider of this name declares that its network takes. Raises UnknownProvider."""
    limits: Limits = getattr(_factory(name), "limits", Limits())
    return limits


def open_provider(name: str, sender: Sender) -> Provider:
    """The provider of this name, sending for `sender`. Raises UnknownProvider."""
    return _factory(name)(sender)
