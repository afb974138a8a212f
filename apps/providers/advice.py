"""What to do about what a network said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.providers.base import Result

_KEY = _("The network does not believe the key. Check the fields, or save a new credential.")
_FORBIDDEN = _("The account may not send to this app. Check project, bundle id or package name.")
_GONE = _("The app was uninstalled or the person unsubscribed. The device is retired; nothing to do.")
_ADDRESS = _("The address is not one of this network, or of its other environment. Register the device again.")
_SIZE = _("The message is too long for this network. Shorten title, text or data.")
_QUOTA = _("The day's quota is spent. What is left waits until it is renewed.")
_FAST = _("The network asked to slow down. Sending goes on by itself.")
_PROXY = _("The network could not be reached. Check that this installation may call out.")

#: The network's own code, or ours -> what to do.
_BY_REASON: Mapping[str, Any] = {
    "InvalidProviderToken": _KEY,
    "MissingProviderToken": _KEY,
    "ExpiredProviderToken": _("The clock of this installation is wrong."),
    "TopicDisallowed": _FORBIDDEN,
    "BadTopic": _FORBIDDEN,
    "DeviceTokenNotForTopic": _FORBIDDEN,
    "BadEnvironmentKeyInToken": _("The key is for the other environment (sandbox or production)."),
    "BadDeviceToken": _ADDRESS,
    "Unregistered": _GONE,
    "ExpiredToken": _GONE,
    "PayloadTooLarge": _SIZE,
    "PAYLOAD_TOO_LARGE": _SIZE,
    "payload_too_large": _SIZE,
    "TITLE_TOO_LONG": _SIZE,
    "BODY_TOO_LONG": _SIZE,
    "DATA_TOO_LARGE": _SIZE,
    "TITLE_MISSING": _("This network wants a title. Add one."),
    "BODY_MISSING": _("This network wants a text. Add one."),
    "UNREGISTERED": _GONE,
    "SENDER_ID_MISMATCH": _("The device belongs to another project. Use the service account of its project."),
    "THIRD_PARTY_AUTH_ERROR": _("Firebase has no valid key for Apple or the web. Upload one in its console."),
    "QUOTA_EXCEEDED": _FAST,
    "day_quota": _QUOTA,
    "paced": _FAST,
    "invalid_grant": _KEY,
    "invalid_client": _KEY,
    "no_key_for_subscription": _(
        "The browser subscribed with a key that is gone. It subscribes anew on its next visit."
    ),
    "no_credential": _("Add a credential."),
    "connect": _PROXY,
    "timeout": _PROXY,
}
_BY_RESULT: Mapping[str, Any] = {
    Result.REJECTED: _("The network refused it. Its documentation says what this code means."),
    Result.UNREGISTERED: _GONE,
    Result.THROTTLED: _FAST,
    Result.UNAVAILABLE: _("The network had a fault. It is tried again by itself."),
    Result.UNKNOWN: _("No answer came, so nobody knows whether it arrived."),
}


def advice_for(result: str, reason: str) -> Any:
    """A sentence; empty for what was accepted."""
    return _BY_REASON.get(reason) or _BY_RESULT.get(result, "")
