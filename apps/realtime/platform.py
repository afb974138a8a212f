"""The installation's own application: how the dashboard hears of what changes, over the same plane as everybody.

It belongs to no tenant and stands in no table. What passes here is in nobody's bill and counts against nobody's limits,
and a channel is heard only with a signature that the dashboard makes for a member who may look. Key and secret follow
from the installation's secret key, so every process knows them.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.utils.crypto import salted_hmac

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.events import Event, new_publication_id
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.queries import ApplicationRecord

#: No tenant has this number.
_NOBODY = 0
#: Applications of tenants have decimal numbers for ids.
_PREFIX = "platform-"
_SETTINGS = ApplicationSettings(
    client_events=False, authorized_connections_only=True, recovery=False, rewind=False, history_api=False,
    http_streams=False, http_fallback=False, max_connections=0, max_subscriptions=10, max_publishes_per_second=0,
    history_size=0, history_ttl=0,
)  # fmt: skip


def platform_application(region: str) -> ApplicationRecord:
    """Its one key opens connections; the secret signs channels and never leaves the servers."""
    key, secret = (_derived(f"{what}:{region}") for what in ("key", "secret"))
    return ApplicationRecord(
        _NOBODY, _NOBODY, f"{_PREFIX}{region}", "platform", True, region, _SETTINGS, {key[:20]: secret}, is_billed=False
    )


def find_platform(*, key: str = "", application_id: str = "") -> ApplicationRecord | None:
    """By either; None for what belongs to a tenant or to nobody."""
    return next((one for one in _all() if key in one.credentials or application_id == one.application_id), None)


def tell(*, region: str, channel: str, event: str, data: str) -> None:
    """To whoever listens right now; nothing is kept. data: JSON text. Raises redis.RedisError."""
    application = platform_application(region)
    body = b"- " + Event(event, data, (channel,)).body(channel, new_publication_id())
    valkey.connect(region).publish(keys.topic(application.application_id, channel), body)


def _all() -> Iterator[ApplicationRecord]:
    return (platform_application(region) for region in settings.VALKEY_URLS)


def _derived(name: str) -> str:
    return salted_hmac("apps.realtime.platform", name, algorithm="sha256").hexdigest()
