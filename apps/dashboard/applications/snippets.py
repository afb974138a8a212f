"""Code to paste: how to connect and publish, filled with an application's own values. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Place:
    """Where an application is reached. origin: `http://host:port` as people see it."""

    origin: str
    application_id: str
    key: str
    secret: str
    token: str

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""

    @property
    def is_secure(self) -> bool:
        return urlsplit(self.origin).scheme == "https"

    @property
    def port(self) -> int:
        return urlsplit(self.origin).port or (443 if self.is_secure else 80)


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    label: str
    code: str


def snippets(place: Place) -> list[Snippet]:
    return [
        Snippet("pusher-js", "pusher-js", _pusher_js(place)),
        Snippet("curl", "curl", _curl(place)),
        Snippet("python", "Python", _python(place)),
        Snippet("node", "Node", _node(place)),
    ]


def _pusher_js(place: Place) -> str:
    return f"""\
import Pusher from "pusher-js";

const pusher = new Pusher({json.dumps(place.key)}, {{
  cluster: "local",
  wsHost: {json.dumps(place.host)},
  wsPort: {place.port},
  wssPort: {place.port},
  forceTLS: {_js(place.is_secure)},
  enabledTransports: ["ws", "wss"],
}});
pusher.subscribe("news").bind("hello", (data) => console.log(data));"""


def _curl(place: Place) -> str:
    return f"""\
curl {place.origin}/apps/{place.application_id}/events \\
  -H "Authorization: Bearer {place.token}" \\
  -H "Content-Type: application/json" \\
  -d '{{"name": "hello", "channels": ["news"], "data": "{{\\"text\\": \\"It works\\"}}"}}'"""


def _python(place: Place) -> str:
    return f"""\
import pusher

client = pusher.Pusher(
    app_id={json.dumps(place.application_id)}, key={json.dumps(place.key)}, secret={json.dumps(place.secret)},
    host={json.dumps(place.host)}, port={place.port}, ssl={place.is_secure},
)
client.trigger("news", "hello", {{"text": "It works"}})"""


def _node(place: Place) -> str:
    return f"""\
import Pusher from "pusher";

const pusher = new Pusher({{
  appId: {json.dumps(place.application_id)}, key: {json.dumps(place.key)}, secret: {json.dumps(place.secret)},
  host: {json.dumps(place.host)}, port: {json.dumps(str(place.port))}, useTLS: {_js(place.is_secure)},
}});
await pusher.trigger("news", "hello", {{ text: "It works" }});"""


def _js(value: bool) -> str:
    return "true" if value else "false"
