"""The shape of buttons below a message: `[{"action": "buy", "title": "Buy", "url": "https://…"}]`. Pure.

title and url are Liquid, and url may be missing: then the app decides what the action does. Without a name of its own a
button is called by its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

#: As many as any route shows; who shows which: docs/campaigns.md.
MOST_BUTTONS = 4
LIMITS = {"title": 60, "url": 2_000}
_MEMBERS = {"action", "title", "url"}
_ACTION = re.compile(r"[a-z0-9][a-z0-9_]{0,15}", re.ASCII)


class ButtonInvalid(ValueError):
    """place: where in the content, `buttons.1.title`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place


def read_buttons(raw: Any) -> list[tuple[str, str, str]]:
    """(action, title, url) of each. Raises ButtonInvalid."""
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > MOST_BUTTONS:
        raise ButtonInvalid("buttons", _("is a list of at most %(most)d buttons") % {"most": MOST_BUTTONS})
    read = [_read(one, f"buttons.{number}", f"button{number + 1}") for number, one in enumerate(raw)]
    if len({action for action, _title, _url in read}) != len(read):
        raise ButtonInvalid("buttons", _("has two buttons of the same name"))
    return read


def is_action(name: str) -> bool:
    return bool(_ACTION.fullmatch(name))


def _read(raw: Any, place: str, name: str) -> tuple[str, str, str]:
    if not isinstance(raw, Mapping) or set(raw) - _MEMBERS:
        raise ButtonInvalid(place, _("has an action, a title and a url"))
    action, title, url = raw.get("action") or name, raw.get("title") or "", raw.get("url") or ""
    if not isinstance(action, str) or not is_action(action):
        raise ButtonInvalid(f"{place}.action", _("has 1 to 16 small letters, digits and _"))
    for field, text in (("title", title), ("url", url)):
        if not isinstance(text, str) or len(text) > LIMITS[field]:
            raise ButtonInvalid(
                f"{place}.{field}", _("is a text of at most %(most)d characters") % {"most": LIMITS[field]}
            )
    if not title.strip():
        raise ButtonInvalid(f"{place}.title", _("is empty"))
    return action, title, url
