"""What goes wrong at the stand-ins of a run, by name, for the next so many requests: so that one can watch retries, the
circuit and pruning without waiting for a network to fail."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, Fault, GoAway, Reset, Say, Slow
from apps.providers.counterparts.fcm import error_answer
from apps.providers.counterparts.server import Incoming, Outgoing, Server
from apps.providers.counterparts.smtp import MailCounterpart

BUSY, DOWN, SLOW, RESET, CUT, GOAWAY = "busy", "down", "slow", "reset", "cut", "goaway"
CERTIFICATE, GONE, NONE = "certificate", "gone", "none"
#: Requests that one switch spoils at most.
MOST = 10_000
_RETRY_AFTER, _SLOW = "5", 3.0
_MAIL = {
    BUSY: "451 4.7.1 try again later", DOWN: "421 4.3.2 not now", GONE: "550 5.1.1 no such mailbox",
}  # fmt: skip


def names_for(network: str) -> tuple[str, ...]:
    """What can be switched there."""
    if network == "email":
        return (NONE, *_MAIL)
    common = (NONE, BUSY, DOWN, SLOW, RESET, CUT, GOAWAY, CERTIFICATE)
    return (*common, GONE) if network in {"apns", "fcm", "webpush", "webhook"} else common


@dataclass(slots=True)
class Switches:
    """servers: by network. authority: of their certificates; stranger: one that nobody trusts. `GET /faults` says what
    is on, `POST /faults` with `{network, fault, count}` switches."""

    servers: Mapping[str, Server]
    mail: MailCounterpart
    authority: Authority
    stranger: Authority
    on: dict[str, tuple[str, int]] = field(default_factory=dict)

    def take(self, incoming: Incoming) -> Outgoing:
        if incoming.method == "GET":
            return _json({"networks": self.standing()})
        try:
            told = json.loads(incoming.body)
            self.switch(str(told["network"]), str(told["fault"]), int(told["count"]))
        except (ValueError, KeyError, TypeError):
            return Outgoing(400)
        return _json({"networks": self.standing()})

    def standing(self) -> list[dict[str, Any]]:
        """Every network with its choices, the fault that is on, and the requests it still spoils."""
        found = []
        for network in [*self.servers, "email"]:
            fault, left = self._left(network)
            found.append({"network": network, "choices": names_for(network), "fault": fault, "left": left})
        return found

    def switch(self, network: str, fault: str, count: int) -> None:
        """Instead of what was on. Raises ValueError for what there is not."""
        if fault not in names_for(network) or not 0 < count <= MOST:
            raise ValueError(fault)
        if network == "email":
            replies = {} if fault == NONE else {"RCPT": [_MAIL[fault]] * count}
            self.mail.behaviour.replies = replies
            self.on[network] = fault, count
            return
        server = self.servers[network]
        if CERTIFICATE in {fault, self.on.get(network, (NONE, 0))[0]}:
            server.present((self.stranger if fault == CERTIFICATE else self.authority).server_file)
        server.spoil(None if fault in {NONE, CERTIFICATE} else _made(network, fault), count)
        self.on[network] = fault, server.requests + count

    def _left(self, network: str) -> tuple[str, int]:
        """The wrong certificate stays until it is switched off, so nothing counts it."""
        fault, until = self.on.get(network, (NONE, 0))
        if fault in {NONE, CERTIFICATE}:
            return fault, 0
        if network == "email":
            left = len(self.mail.behaviour.replies.get("RCPT", []))
        else:
            left = max(0, until - self.servers[network].requests)
        return (fault, left) if left else (NONE, 0)


def _made(network: str, fault: str) -> Fault:
    if fault == GONE:
        return _gone(network)
    made: dict[str, Fault] = {
        BUSY: Say(429, b"{}", {"retry-after": _RETRY_AFTER}), DOWN: Say(503), SLOW: Slow(_SLOW), RESET: Reset(),
        CUT: Cut(), GOAWAY: GoAway(),
    }  # fmt: skip
    return made[fault]


def _gone(network: str) -> Fault:
    """Every device is told to be dead since now."""
    if network == "fcm":
        answer = error_answer(404, "UNREGISTERED")
        return Say(answer.status, answer.body)
    body = {"reason": "Unregistered", "timestamp": int(time.time() * 1_000)} if network == "apns" else {"errno": 106}
    return Say(410, json.dumps(body).encode())


def _json(answer: dict[str, Any]) -> Outgoing:
    return Outgoing(200, {"content-type": "application/json"}, json.dumps(answer).encode())
