"""The demo application's phones: credentials that are good at the stand-ins of this machine, and devices to send to.

Runs in a process of its own that the run has pointed at the stand-ins. Never where push networks are real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.conf import settings

from apps.audience.addresses import DeviceIn
from apps.audience.services.devices import register_device
from apps.operations import demo, stand_ins
from apps.providers.counterparts.place import credentials
from apps.providers.counterparts.subscribing import subscribe_browser
from apps.providers.credentials import ensure_vapid_credential, open_credential, save_credential
from apps.providers.models import ProviderCredential
from apps.providers.webpush.vapid import public_key_of
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

#: Person of the demo -> the platforms of their phones.
_PHONES: Mapping[str, tuple[str, ...]] = {
    "ada": ("ios", "web", "email"),
    "grace": ("android",),
    "meiling": ("huawei", "harmony", "vivo"),
    "xiaoming": ("xiaomi", "oppo"),
    "dennis": ("honor",),
    "barbara": ("meizu",),
}
_SUBJECT = "mailto:demo@example.com"
#: What people read beside a credential that reaches nobody real.
_MARK = "Local stand-in"


def are_wanted() -> bool:
    """Whether this home has a demo that has no accounts with networks yet."""
    application = demo.application()
    if application is None:
        return False
    with tenant_scope(application.tenant_id):
        return not ProviderCredential.objects.of(application.tenant_id).filter(application=application).exists()


def connect() -> None:
    """Saves a credential per network, checked with its stand-in, and registers the phones."""
    application = demo.application()
    if application is None or not settings.STAND_INS_URL:
        return
    for provider, values in credentials(stand_ins.directory(), application.application_id).items():
        save_credential(
            tenant=application.tenant, application=application, provider=provider, name=_MARK, values=values
        )
    key = _sender_key(application)
    for person, platforms in _PHONES.items():
        devices = [_device(person, platform, key) for platform in platforms]
        with tenant_scope(application.tenant):
            for device in devices:
                register_device(tenant=application.tenant, application=application, external_id=person, device=device)


def _sender_key(application: Application) -> str:
    with tenant_scope(application.tenant):
        made = ensure_vapid_credential(tenant=application.tenant, application=application, subject=_SUBJECT)
        return public_key_of(open_credential(tenant=application.tenant, credential=made).values["private_key"])


def _device(person: str, platform: str, sender_key: str) -> DeviceIn:
    if platform == "web":
        subscription = subscribe_browser(sender_key)
        return DeviceIn(
            platform, subscription.endpoint, installation_id=f"demo-{person}", public_key=subscription.p256dh,
            auth_secret=subscription.auth,
        )  # fmt: skip
    if platform == "email":
        return DeviceIn(platform, f"{person}@example.com")
    return DeviceIn(platform, hashlib.sha256(f"{person} {platform}".encode()).hexdigest())
