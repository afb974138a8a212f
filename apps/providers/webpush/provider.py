"""The provider `webpush`: hands each push to the service its subscription belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.egress import AddressRefused, Place, read_url
from apps.core.subscription_keys import KeysInvalid
from apps.providers.base import Credential, CredentialField, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import CredentialInvalid
from apps.providers.exchanges import Lane, Request
from apps.providers.http import exchange_on
from apps.providers.proxies import PROXY
from apps.providers.webpush.answers import outcome_of
from apps.providers.webpush.lanes import lane_to
from apps.providers.webpush.requests import FULL_SIZE, request_for
from apps.providers.webpush.vapid import public_key_of
from apps.providers.webpush.withdrawal import withdraw

#: Names looked up at a time: a name server that does not answer must not hold up the rest.
_RESOLVERS = 16


@dataclass(frozen=True, slots=True)
class _Ready:
    push_id: str
    place: Place
    credential_id: str
    proxy: str
    request: Request


class WebPushProvider:
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField(
                "private_key",
                _("VAPID private key"),
                help=_("32 bytes in base64url. Every browser subscribes with the key that belongs to it."),
            ),
            CredentialField(
                "subject",
                _("Contact (a mailto: or https: address)"),
                is_secret=False,
                help=_("Whom browser makers write to when something is wrong with your pushes."),
            ),
            CredentialField(
                "size",
                _("Longest push"),
                is_secret=False,
                is_required=False,
                choices=((FULL_SIZE, _("4,096 bytes, as much as push services take")),),
                help=_("Without it 2,700 bytes, which every browser takes; Firefox on phones drops longer ones."),
            ),
            PROXY,
        ),
        reaches="devices",
        platforms=("web", "unifiedpush"),
        withdraws=True,
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        """By computation alone: there is nobody to ask about a VAPID key."""
        values = self.sender.credentials[0].values
        try:
            public_key_of(values["private_key"])
        except ValueError:
            raise CredentialInvalid("private_key", _("This is not a P-256 private key in base64url.")) from None
        if not values["subject"].startswith(("mailto:", "https://")):
            raise CredentialInvalid("subject", _("Give a mailto: or https: address."))

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """What a service says has moved for good is sent once more at once, to where it has moved."""
        outcomes = self._attempt(pushes)
        moved = {outcome.push_id: outcome.new_address for outcome in outcomes if outcome.new_address}
        again = [_readdressed(push, moved[push.id]) for push in pushes if push.id in moved]
        second = {one.push_id: _keeping(one, moved[one.push_id]) for one in self._attempt(again)}
        return [second.get(outcome.push_id, outcome) for outcome in outcomes]

    def withdraw(self, names: Sequence[str]) -> int:
        """Answers how many pushes their services still had and dropped. names: as the outcomes gave them."""
        return withdraw(names, owner=self.sender.application_id)

    def _attempt(self, pushes: Sequence[Push]) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {}
        groups: dict[tuple[str, str], list[_Ready]] = defaultdict(list)
        for push in pushes:
            ready = self._prepare(push)
            if isinstance(ready, Outcome):
                outcomes[push.id] = ready
            else:
                groups[ready.place.origin, ready.credential_id].append(ready)
        outcomes.update(_send_groups(list(groups.values())))
        return [outcomes[push.id] for push in pushes]

    def _prepare(self, push: Push) -> _Ready | Outcome:
        credential = self._credential_for(push)
        if push.endpoint is None or credential is None:
            return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "no_key_for_subscription")
        try:
            place = read_url(push.endpoint.address)
            now = int(clock.now().timestamp())
            request = request_for(push, push.endpoint, place, credential, now=now)
            return _Ready(push.id, place, credential.id, credential.values.get(PROXY.name, ""), request)
        except AddressRefused as refused:
            return Outcome(push.id, Result.REJECTED, Scope.DEVICE, f"address_refused:{refused.reason}")
        except KeysInvalid:
            return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "subscription_keys_invalid")
        except ValueError:
            return Outcome(push.id, Result.REJECTED, Scope.MESSAGE, "payload_too_large")

    def _credential_for(self, push: Push) -> Credential | None:
        """The key the subscription was made with: services refuse any other."""
        wanted = push.endpoint.sender_key if push.endpoint else ""
        return next((one for one in self.sender.credentials if wanted in {"", one.id}), None)


def _send_groups(groups: Sequence[list[_Ready]]) -> dict[str, Outcome]:
    """groups: pushes that share a service and a key."""
    if not groups:
        return {}
    with ThreadPoolExecutor(_RESOLVERS) as pool:
        lanes = list(pool.map(_lane_of, groups))
    outcomes = {
        ready.push_id: Outcome(ready.push_id, Result.REJECTED, Scope.DEVICE, f"address_refused:{lane}")
        for lane, group in zip(lanes, groups, strict=True)
        if isinstance(lane, str)
        for ready in group
    }
    open_groups = [(lane, group) for lane, group in zip(lanes, groups, strict=True) if isinstance(lane, Lane)]
    answers = exchange_on([(lane, [ready.request for ready in group]) for lane, group in open_groups])
    now = clock.now()
    known = [ready for _, group in open_groups for ready in group]
    flat = [answer for batch in answers for answer in batch]
    told = [outcome_of(ready.push_id, ready.place, answer, now) for ready, answer in zip(known, flat, strict=True)]
    return outcomes | _believing_the_key(known, told)


def _lane_of(group: list[_Ready]) -> Lane | str:
    return lane_to(group[0].place, group[0].credential_id, group[0].proxy)


def _readdressed(push: Push, address: str) -> Push:
    assert push.endpoint is not None
    return replace(push, endpoint=replace(push.endpoint, address=address))


def _keeping(outcome: Outcome, address: str) -> Outcome:
    """The successor's outcome, with its address unless it was refused there."""
    refused = outcome.result in {Result.REJECTED, Result.UNREGISTERED}
    return outcome if refused or outcome.new_address else replace(outcome, new_address=address)


def _believing_the_key(sent: Sequence[_Ready], outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    """A key that was refused while others accepted it is not bad: the subscription was made with another one."""
    good = {one.credential_id for one, outcome in zip(sent, outcomes, strict=True) if outcome.result is Result.ACCEPTED}
    return {
        outcome.push_id: replace(outcome, scope=Scope.DEVICE)
        if outcome.scope is Scope.CREDENTIAL and outcome.result is Result.REJECTED and ready.credential_id in good
        else outcome
        for ready, outcome in zip(sent, outcomes, strict=True)
    }
