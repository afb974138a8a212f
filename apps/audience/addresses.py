"""What a client says about its device, read strictly: what no push network could use is refused at the door. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from apps.audience.errors import DeviceInvalid
from apps.audience.models import AddressKind, Environment, Platform
from apps.core.egress import AddressRefused, read_url
from apps.core.subscription_keys import KeysInvalid, read_keys

MAX_ADDRESS = 4_096
_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)
_INSTALLATION = re.compile(r"[!-~]{0,128}", re.ASCII)
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,15}", re.ASCII)
_SENDER_KEY = re.compile(r"[0-9A-Za-z_-]{0,40}", re.ASCII)
#: The network that reaches a platform when the client does not name one. A phone maker's has the platform's name.
_USUAL = {
    Platform.IOS: "apns",
    Platform.ANDROID: "fcm",
    Platform.WEB: "webpush",
    Platform.UNIFIEDPUSH: "webpush",
    Platform.EMAIL: "email",
}
#: Those with installation ids; the others have tokens alone.
_WITH_FID = {Platform.IOS, Platform.ANDROID}
#: Tokens that Apple gives an app beside its ordinary one, each for a push type of its own.
APPLE_KINDS = frozenset(AddressKind) - {AddressKind.TOKEN, AddressKind.FID, AddressKind.URL, AddressKind.MAILBOX}
MAX_MAILBOX = 254


@dataclass(frozen=True, slots=True)
class DeviceIn:
    """A registration, as it came. Empty means not given."""

    platform: str
    address: str
    provider: str = ""
    address_kind: str = ""
    installation_id: str = ""
    environment: str = ""
    public_key: str = ""
    auth_secret: str = ""
    sender_key: str = ""


def read_device(given: DeviceIn) -> dict[str, str]:
    """Column -> value. Raises DeviceInvalid naming the field, AddressRefused for an endpoint that is not public."""
    platform = _one_of("platform", given.platform, Platform.values)
    provider = _matching("provider", given.provider or _USUAL.get(Platform(platform), platform), _PROVIDER)
    is_url = platform in {Platform.WEB, Platform.UNIFIEDPUSH}
    if is_url:
        kinds, address = [AddressKind.URL], _read_endpoint(given)
    elif platform == Platform.EMAIL:
        kinds, address = [AddressKind.MAILBOX], _read_mailbox(given.address)
    else:
        kinds, address = [AddressKind.TOKEN], _matching("address", given.address, _TOKEN)
        kinds += [AddressKind.FID] if platform in _WITH_FID else []
        kinds += sorted(APPLE_KINDS) if (platform, provider) == (Platform.IOS, "apns") else []
    kind = _one_of("address_kind", given.address_kind or kinds[0], kinds)
    installation = _matching("installation_id", given.installation_id, _INSTALLATION)
    if installation and kind in APPLE_KINDS:
        # Such a token stands beside the ordinary one of the same installation and must not replace it.
        installation = _matching("installation_id", f"{kind}:{installation}", _INSTALLATION)
    return {
        "platform": platform,
        "provider": provider,
        "address": address,
        "address_hash": hash_of(address),
        "address_kind": kind,
        "installation_id": installation,
        "environment": _one_of("environment", given.environment or Environment.PRODUCTION, Environment.values),
        "public_key": given.public_key.rstrip("=") if is_url else "",
        "auth_secret": given.auth_secret.rstrip("=") if is_url else "",
        "sender_key": _matching("sender_key", given.sender_key, _SENDER_KEY) if is_url else "",
    }


def hash_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def _read_endpoint(given: DeviceIn) -> str:
    try:
        read_keys(given.public_key, given.auth_secret)
    except KeysInvalid:
        raise _refusal("public_key", _("Give the subscription's keys p256dh and auth in base64url.")) from None
    try:
        return read_url(given.address).url
    except AddressRefused as refused:
        refused.fields["address"] = [refused.message]
        raise


def _read_mailbox(address: str) -> str:
    """With its domain in small letters: the part before the @ is the other server's business."""
    try:
        if len(address) > MAX_MAILBOX:
            raise ValidationError("too long")
        validate_email(address)
    except ValidationError:
        raise _refusal("address", _("Enter an e-mail address.")) from None
    name, _at, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


def _one_of(field: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise _refusal(field, _("Use one of: %(names)s.") % {"names": ", ".join(known)})
    return value


def _matching(field: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise _refusal(field, _("This value cannot be used."))
    return value


def _refusal(field: str, sentence: object) -> DeviceInvalid:
    return DeviceInvalid(fields={field: [sentence]})
