"""What routes are called where people choose them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

_NAMES: Mapping[str, Any] = {
    "realtime": _("Live, over the open connection"),
    "webpush": _("Browsers (Web Push)"),
    "fcm": _("Android and others (FCM)"),
    "apns": _("Apple devices (APNs)"),
    "email": _("E-mail"),
    "huawei": _("Huawei phones with Android"),
    "harmony": _("Huawei phones with HarmonyOS"),
    "honor": _("Honor phones"),
    "xiaomi": _("Xiaomi phones"),
    "oppo": _("OPPO phones"),
    "vivo": _("vivo phones"),
    "meizu": _("Meizu phones"),
    "webhook": _("Your server (webhook)"),
    "console": _("Log of the server (for trying out)"),
}


def route_name(route: str) -> Any:
    """A route that somebody installed beside ours is called as it calls itself."""
    return _NAMES.get(route, route)


def in_usual_order(routes: list[str]) -> list[str]:
    """The order of the table above; what is installed beside ours comes before the log."""
    order = {name: number for number, name in enumerate(_NAMES)}
    return sorted(routes, key=lambda route: (route == "console", order.get(route, len(order)), route))
