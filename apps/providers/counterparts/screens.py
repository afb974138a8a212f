"""What the phones and browsers of this machine show: every push that a stand-in took, in one shape, the newest last."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apps.providers.counterparts.apns import AppleService, Taken
from apps.providers.counterparts.browsers import Browsers
from apps.providers.counterparts.fcm import GoogleService
from apps.providers.counterparts.receiver import ReceiverService
from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.smtp import Arrived, MailCounterpart
from apps.providers.counterparts.switches import Switches
from apps.providers.counterparts.vendors.common import Shown, VendorService
from apps.providers.counterparts.webpush import PushService, Stored

_KEPT = 500
#: Characters of a mail.
_MAIL_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Notice:
    """number: rises by one. device: the address that the push was for. at: Unix seconds. payload: as the app gets it,
    where the app shows it itself (Web Push)."""

    number: int
    at: float
    network: str
    device: str
    title: str
    body: str
    image: str = ""
    url: str = ""
    receipt: str = ""
    buttons: tuple[str, ...] = ()
    payload: dict[str, Any] | None = None


class Screens:
    """Collects from the networks, and answers `GET /shown?after=NUMBER`: the notices after it, the number to ask with
    next. `/faults` is switches.py's."""

    allows_one_stream_first = False

    def __init__(
        self,
        apple: AppleService,
        google: GoogleService,
        browsers: PushService,
        makers: Mapping[str, VendorService],
        mail: MailCounterpart,
        receiver: ReceiverService,
        switches: Switches | None = None,
    ) -> None:
        self._apple, self._google, self._browsers, self._makers = apple, google, browsers, makers
        self._mail, self._receiver, self._switches = mail, receiver, switches
        self._notices: deque[Notice] = deque(maxlen=_KEPT)
        self._last = 0
        self._lock = threading.Lock()

    def take(self, incoming: Incoming) -> Outgoing:
        if self._switches is not None and incoming.path == "/faults":
            return self._switches.take(incoming)
        asked = parse_qs(urlsplit(incoming.path).query).get("after", ["0"])[0]
        after = int(asked) if asked.isdecimal() else 0
        self.collect()
        # A run that began anew counts from one again: whoever asks with an older run's number is shown all.
        found = [asdict(one) for one in self._notices if one.number > after or after > self._last]
        body = json.dumps({"next": self._last, "notices": found}).encode()
        return Outgoing(200, {"content-type": "application/json"}, body)

    def collect(self) -> list[Notice]:
        """What came since the last call."""
        with self._lock:
            found = [
                Notice(number, time.time(), **members) for number, members in enumerate(self._new(), self._last + 1)
            ]
            self._last += len(found)
            self._notices.extend(found)
            return found

    def _new(self) -> Iterator[dict[str, Any]]:
        for phone in _drained(self._apple.taken):
            yield _of_apple(phone)
        for message in _drained(self._google.taken):
            yield _of_google(message)
        for stored in _drained(self._browsers.stored):
            if (members := _of_browser(stored, self._browsers.origin, self._browsers.browsers)) is not None:
                yield members
        for name, maker in self._makers.items():
            for shown in _drained(maker.shown):
                yield _of_maker(name, shown)
        for arrived in _drained(self._mail.arrived):
            yield _of_mail(arrived)
        for application, data in _drained(self._receiver.taken):
            yield _of_receiver(application, data)


def _drained(things: list[Any]) -> list[Any]:
    """Taken out, so that a run of days does not grow."""
    found = things[:]
    del things[: len(found)]
    return found


def _of_apple(phone: Taken) -> dict[str, Any]:
    alert = phone.payload.get("aps", {}).get("alert") or {}
    ours = phone.payload.get("pushsaas") or {}
    return {"network": "apns", "device": phone.token, "title": alert.get("title", ""), "body": alert.get("body", "")
            } | _beside(ours)  # fmt: skip


def _of_google(message: dict[str, Any]) -> dict[str, Any]:
    shown, data = message.get("notification") or {}, message.get("data") or {}
    ours = {**data, "image_url": shown.get("image", ""), "data": _parsed(data.get("data", ""))}
    device = message.get("token") or message.get("fid") or ""
    return {"network": "fcm", "device": device, "title": shown.get("title", ""), "body": shown.get("body", "")
            } | _beside(ours)  # fmt: skip


def _of_browser(stored: Stored, origin: str, browsers: Browsers | None) -> dict[str, Any] | None:
    subscription = browsers.known.get(stored.subscription) if browsers else None
    payload = subscription.read(stored.body) if subscription else None
    if payload is None:
        return None
    return {
        "network": "webpush", "device": f"{origin}{stored.subscription}", "title": payload.get("title", ""),
        "body": payload.get("body", ""), "payload": payload,
    } | _beside(payload)  # fmt: skip


def _of_mail(arrived: Arrived) -> dict[str, Any]:
    part = arrived.mail.get_body(("plain",))
    body = part.get_content() if part is not None else ""
    return {"network": "email", "device": arrived.recipient, "title": str(arrived.mail["subject"] or ""),
            "body": body.strip()[:_MAIL_SHOWN]}  # fmt: skip


def _of_receiver(application: str, data: dict[str, Any]) -> dict[str, Any]:
    """Of a person, not of a device."""
    device = f"{application} {data.get('recipient', '')}"
    shown = {"title": data.get("title", ""), "body": data.get("body", "")}
    return {"network": "webhook", "device": device} | shown | _beside(data)


def _of_maker(name: str, shown: Shown) -> dict[str, Any]:
    """Huawei's stand-in takes for HarmonyOS as well, whose messages name a `target`."""
    if name == "huawei" and "target" in shown.whole:
        name = "harmony"
    ours = {"receipt": _found(shown.whole, "receipt"), "url": _found(shown.whole, "url")}
    return {"network": name, "device": shown.device, "title": shown.title, "body": shown.body} | _beside(ours)


def _beside(ours: dict[str, Any]) -> dict[str, Any]:
    """Of the members that the product puts into every push."""
    data = ours.get("data")
    actions = data.get("actions") if isinstance(data, dict) else None
    titles = [one.get("title") for one in actions if isinstance(one, dict)] if isinstance(actions, list) else []
    return {
        "image": ours.get("image_url") or "", "url": ours.get("url") or "", "receipt": ours.get("receipt") or "",
        "buttons": tuple(str(title) for title in titles if title),
    }  # fmt: skip


def _found(whole: Any, name: str, depth: int = 6) -> str:
    """The first text of this name, however deep, also in JSON within JSON: each maker nests in its own way."""
    if isinstance(whole, str):
        whole = _parsed(whole)
    if depth == 0 or not isinstance(whole, dict):
        return ""
    if isinstance(whole.get(name), str):
        return str(whole[name])
    return next((text for inner in whole.values() if (text := _found(inner, name, depth - 1))), "")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text[:1] in "{[" and text else None
    except ValueError:
        return None
