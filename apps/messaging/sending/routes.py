"""Handing a slice to its route. A route reaches people, or installations: then each of a person's devices gets a push.

A delivery stays one message to one person by one route, whatever they carry: they have it when one of their devices has
it. What the network said about each device is kept beside that, and recorded with the slice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.audience.services.device_health import clear_strikes, restore_devices, retire_devices, strike_devices
from apps.audience.services.devices import change_address
from apps.core import clock
from apps.messaging.models import Message
from apps.messaging.sending.slices import Slice
from apps.messaging.sending.targets import targets_of
from apps.providers import breaker, fuse, health
from apps.providers.base import Outcome, Result, Scope, Sender
from apps.providers.breaker import Circuit
from apps.providers.credentials import open_credentials, pause_credential
from apps.providers.registry import needs_of, open_provider
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.scope import tenant_scope

log = logging.getLogger(__name__)

NO_DEVICE = "no_device"


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What the network said about one device. credential_id: public id of the one that was used."""

    device_id: int
    credential_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Called:
    """outcomes: one per push of the slice. answers: one per device, if the route reaches devices. refused: public id of
    a credential that the network refused -> the network's word. disbelieved: credentials under which too many devices
    were refused at once; what was said about those is not acted on.
    """

    outcomes: Sequence[Outcome]
    answers: Sequence[DeviceAnswer] = field(default_factory=list)
    refused: Mapping[str, str] = field(default_factory=dict)
    disbelieved: frozenset[str] = frozenset()


def call_route(message: Message, made: Slice) -> Called:
    """Opens its own short scope and leaves it before the network is called. Raises what the provider raises."""
    needs = needs_of(made.route)
    with tenant_scope(message.tenant_id):
        sender = _sender_for(message, made.route, has_credentials=bool(needs.fields))
        targets = targets_of(message, made, needs) if needs.reaches == "devices" else None
    provider = open_provider(made.route, sender)
    current = sender.credentials[0].id if sender.credentials else ""
    if targets is None:
        outcomes = provider.send(made.pushes)
        _watch(sender, made.route, {current: outcomes})
        return Called(outcomes, refused=_refused((current, outcome) for outcome in outcomes))
    outcomes = provider.send([target.push for target in targets]) if targets else []
    by_push: dict[int, list[Outcome]] = defaultdict(list)
    answers = []
    for target, outcome in zip(targets, outcomes, strict=True):
        by_push[target.position].append(outcome)
        bound_to = target.push.endpoint.sender_key if target.push.endpoint else ""
        answers.append(DeviceAnswer(target.device_id, bound_to or current, outcome))
    combined = [combine(push.id, by_push[at]) for at, push in enumerate(made.pushes)]
    refused = _refused((answer.credential_id, answer.outcome) for answer in answers)
    by_credential: dict[str, list[Outcome]] = defaultdict(list)
    for answer in answers:
        by_credential[answer.credential_id].append(answer.outcome)
    _watch(sender, made.route, by_credential)
    return Called(combined, answers, refused, _disbelieved(sender, made.route, by_credential))


def _watch(sender: Sender, route: str, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    """Tells the circuit of each credential what became of its pushes, and counts them for people to see."""
    for credential_id, said in outcomes.items():
        if not credential_id:
            continue
        circuit = Circuit(sender.region, sender.application_id, route, credential_id)
        health.count(circuit, said, clock.now())
        if breaker.record(circuit, said):
            log.error("push.circuit_opened tenant=%s route=%s credential=%s", sender.tenant_id, route, credential_id)


def _disbelieved(sender: Sender, route: str, by_credential: Mapping[str, Sequence[Outcome]]) -> frozenset[str]:
    """Credentials whose fuse is blown by these answers (apps/providers/fuse.py)."""
    counted = {
        id: fuse.count(
            region=sender.region, name=f"{sender.application_id}:{route}:{id}", batch=fuse.refusals_in(outcomes),
            now=clock.now(),
        )
        for id, outcomes in by_credential.items()
    }  # fmt: skip
    return frozenset(id for id, (window, usual) in counted.items() if fuse.is_blown(window, usual))


def _refused(outcomes: Iterable[tuple[str, Outcome]]) -> dict[str, str]:
    return {
        credential_id: outcome.reason
        for credential_id, outcome in outcomes
        if credential_id and outcome.result is Result.REJECTED and outcome.scope is Scope.CREDENTIAL
    }


def combine(push_id: str, outcomes: Sequence[Outcome]) -> Outcome:
    """One word for a person with several devices: the best that is true of the person."""
    if not outcomes:
        return Outcome(push_id, Result.REJECTED, Scope.DEVICE, NO_DEVICE)
    best = outcomes[0] if len(outcomes) == 1 else min(outcomes, key=_rank)
    waits = [outcome.retry_after for outcome in outcomes if outcome.retry_after is not None]
    wait = max(waits) if waits and _rank(best) == _AGAIN else None
    return Outcome(push_id, best.result, best.scope, best.reason, wait)


_AGAIN = 2


def _rank(outcome: Outcome) -> int:
    """Has it; may have it (so nobody sends again); can be tried again; our mistake; not on this device."""
    if outcome.result is Result.ACCEPTED:
        return 0
    if outcome.result is Result.UNKNOWN:
        return 1
    refused_sender = outcome.result is Result.REJECTED and outcome.scope is Scope.CREDENTIAL
    if refused_sender or outcome.result in {Result.THROTTLED, Result.UNAVAILABLE}:
        return _AGAIN
    return 3 if outcome.scope is Scope.MESSAGE else 4


def record_answers(*, message: Message, route: str, called: Called) -> None:
    """What the answers do to devices and credentials. In the transaction that records the slice."""
    tenant = message.tenant
    accepted: list[int] = []
    refused: list[int] = []
    gone: dict[int, tuple[datetime, str]] = {}
    for answer in called.answers:
        outcome = answer.outcome
        if outcome.new_address:
            change_address(tenant=tenant, device_id=answer.device_id, address=outcome.new_address)
        if outcome.result is Result.ACCEPTED:
            accepted.append(answer.device_id)
        elif answer.credential_id in called.disbelieved:
            continue
        elif outcome.result is Result.UNREGISTERED:
            gone[answer.device_id] = (outcome.gone_at or clock.now(), outcome.reason)
        elif outcome.result is Result.REJECTED and outcome.scope is Scope.DEVICE:
            refused.append(answer.device_id)
    if accepted:
        clear_strikes(tenant=tenant, device_ids=accepted)
    if refused:
        strike_devices(tenant=tenant, device_ids=refused)
    if gone:
        retire_devices(tenant=tenant, gone=gone)
    for credential_id, reason in called.refused.items():
        pause_credential(tenant=tenant, credential_id=credential_id, reason=reason)
    for credential_id in called.disbelieved:
        _blow(message, route, credential_id)


def _blow(message: Message, route: str, credential_id: str) -> None:
    """Takes back what the network did to devices in the window, and sends nothing more with this credential."""
    restored = restore_devices(
        tenant=message.tenant, application=message.application, provider=route, since=clock.now() - fuse.WINDOW
    )
    log.error(
        "push.fuse_blown tenant=%s route=%s credential=%s restored=%s",
        message.tenant_id, route, credential_id, restored,
    )  # fmt: skip
    if credential_id:
        pause_credential(tenant=message.tenant, credential_id=credential_id, reason="too_many_devices_refused")


def _sender_for(message: Message, route: str, *, has_credentials: bool) -> Sender:
    application, tenant = message.application, message.tenant
    credentials = open_credentials(tenant=tenant, application=application, provider=route) if has_credentials else ()
    rate = ApplicationSettings.from_json(application.settings).max_publishes_per_second
    return Sender(tenant.home_region, tenant.pk, application.application_id, credentials, rate)
