"""Push types: what a content asks of Apple, and the rules of each type. Pure.

Source: Apple, "Sending notification requests to APNs" (apns-push-type, apns-topic, apns-priority).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

_PRIORITIES = (10, 5, 1)
_LEVELS = ("passive", "active", "time-sensitive", "critical")
_EVENTS = ("start", "update", "end")


@dataclass(frozen=True, slots=True)
class Kind:
    """suffix: of the topic. priorities: that Apple takes, the usual one first. most: bytes of the payload."""

    suffix: str = ""
    priorities: tuple[int, ...] = _PRIORITIES
    most: int = 4_096


ALERT, BACKGROUND = "alert", "background"
KINDS: Mapping[str, Kind] = {
    ALERT: Kind(),
    BACKGROUND: Kind(priorities=(5,)),
    "voip": Kind(".voip", most=5_120),
    "pushtotalk": Kind(".voip-ptt"),
    "complication": Kind(".complication"),
    "location": Kind(".location-query"),
    "fileprovider": Kind(".pushkit.fileprovider"),
    "liveactivity": Kind(".push-type.liveactivity"),
    "widgets": Kind(".push-type.widgets"),
    "controls": Kind(".push-type.controls"),
    "mdm": Kind(),
}


class OptionInvalid(ValueError):
    """member: which, `apns.priority`. str(): what is wrong with it."""

    def __init__(self, member: str, sentence: str) -> None:
        super().__init__(sentence)
        self.member = f"apns.{member}".rstrip(".")


def check_options(raw: object) -> None:
    """What a content says under `apns`: `{"push_type": …, "priority": …, "aps": {…}}`. Raises OptionInvalid."""
    if not isinstance(raw, Mapping):
        raise OptionInvalid("", _("is not an object"))
    for name in raw:
        if name not in {"push_type", "priority", "aps"}:
            raise OptionInvalid(str(name)[:32], _("is unknown"))
    kind = raw.get("push_type", ALERT)
    if not isinstance(kind, str) or kind not in KINDS:
        raise OptionInvalid("push_type", _("is none of: %(names)s") % {"names": ", ".join(KINDS)})
    priority = raw.get("priority", KINDS[kind].priorities[0])
    if type(priority) is not int or priority not in KINDS[kind].priorities:
        names = ", ".join(str(one) for one in KINDS[kind].priorities)
        raise OptionInvalid("priority", _("of %(kind)s is none of: %(names)s") % {"kind": kind, "names": names})
    aps = raw.get("aps", {})
    if not isinstance(aps, Mapping):
        raise OptionInvalid("aps", _("is not an object"))
    _check_aps(kind, aps)


def _check_aps(kind: str, aps: Mapping[str, Any]) -> None:
    level, relevance, badge = (aps.get(name) for name in ("interruption-level", "relevance-score", "badge"))
    if level is not None and level not in _LEVELS:
        raise OptionInvalid("aps.interruption-level", _("is none of: %(names)s") % {"names": ", ".join(_LEVELS)})
    if relevance is not None and not (_is_number(relevance) and (kind == "liveactivity" or 0 <= relevance <= 1)):
        raise OptionInvalid("aps.relevance-score", _("is not a number from 0 to 1"))
    if badge is not None and not (type(badge) is int and badge >= 0):
        raise OptionInvalid("aps.badge", _("is not a whole number"))
    if not isinstance(aps.get("alert", {}), Mapping):
        raise OptionInvalid("aps.alert", _("is not an object"))
    if kind == ALERT and {"title", "body"} & set(aps.get("alert", {})):
        raise OptionInvalid("aps.alert", _("may not repeat the title and the text"))
    if kind in {BACKGROUND, "mdm"} and {"alert", "sound", "badge"} & set(aps):
        raise OptionInvalid("aps", _("may not show or sound anything with %(kind)s") % {"kind": kind})
    if kind == "liveactivity":
        _check_activity(aps)


def _check_activity(aps: Mapping[str, Any]) -> None:
    if aps.get("event") not in _EVENTS:
        raise OptionInvalid("aps.event", _("is none of: %(names)s") % {"names": ", ".join(_EVENTS)})
    if not isinstance(aps.get("content-state", {} if aps["event"] == "end" else None), Mapping):
        raise OptionInvalid("aps.content-state", _("is not an object"))
    if aps["event"] == "start" and not {"attributes-type", "attributes", "alert"} <= set(aps):
        raise OptionInvalid("aps", _("needs attributes-type, attributes and alert to start an activity"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
