"""The provider `apns`."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.apns import jwt
from apps.providers.apns.answers import ENDS_CONNECTION, EXPIRED_TOKEN, outcome_of
from apps.providers.apns.requests import request_for
from apps.providers.base import CredentialField, Endpoint, Needs, Notification, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.exchanges import Lane, Request
from apps.providers.http import exchange_on, reopen
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenUnavailable, shared_token

log = logging.getLogger(__name__)

#: HTTP/2 connections per key and environment, and requests under way on each. Apple advertises 1,000.
CONNECTIONS, STREAMS = 2, 400
_TIMEOUT = 15.0
_ID = re.compile(r"[0-9A-Z]{10}")
_TOPIC = re.compile(r"[0-9A-Za-z.-]{3,155}")


class ApnsProvider:
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField(
                "team_id", _("Team id"), is_secret=False, help=_("On the membership page of Apple's developer site.")
            ),
            CredentialField("key_id", _("Key id"), is_secret=False, help=_("Beside the key in the list of keys.")),
            CredentialField(
                "bundle_id", _("Bundle id"), is_secret=False, help=_("The app's, such as com.example.shop.")
            ),
            CredentialField(
                "private_key",
                _("Private key (contents of the .p8 file)"),
                is_long=True,
                help=_("Apple lets you download it once. It serves every app of the team."),
            ),
            PROXY,
        ),
        reaches="devices",
        platforms=("ios",),
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        """Reads the key, then asks Apple about a device that does not exist: "bad device" means a good key."""
        _check_shape(self.sender.credentials[0].values)
        outcomes = self._attempt([_push_to_nobody(environment) for environment in settings.APNS_URLS], self._token())
        if any(outcome.scope is Scope.DEVICE for outcome in outcomes):
            return
        if any(outcome.scope is Scope.CREDENTIAL for outcome in outcomes):
            problem = _("Apple refuses this credential: %(reason)s.") % {"reason": outcomes[0].reason}
            raise CredentialInvalid("__all__", problem)
        raise NetworkSilent

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not self.sender.credentials:
            return [Outcome(push.id, Result.REJECTED, Scope.CREDENTIAL, "no_credential") for push in pushes]
        try:
            token = self._token()
        except TokenUnavailable:
            return [Outcome(push.id, Result.UNAVAILABLE, Scope.CREDENTIAL, "no_provider_token") for push in pushes]
        outcomes = self._attempt(pushes, token)
        expired = any(outcome.reason == EXPIRED_TOKEN for outcome in outcomes)
        fresh = self._token(refused=token.text) if expired else token
        if fresh.text == token.text:
            return outcomes
        return self._resend(pushes, outcomes, fresh)

    def _resend(self, pushes: Sequence[Push], outcomes: Sequence[Outcome], token: Token) -> list[Outcome]:
        """Once, and only what surely was not processed."""
        again = [push for push, outcome in zip(pushes, outcomes, strict=True) if outcome.result is Result.UNAVAILABLE]
        second = {outcome.push_id: outcome for outcome in self._attempt(again, token)}
        return [second.get(outcome.push_id, outcome) for outcome in outcomes]

    def _token(self, refused: str = "") -> Token:
        values = self.sender.credentials[0].values
        return shared_token(
            tenant_id=self.sender.tenant_id, subject=jwt.subject_of(values), policy=jwt.POLICY,
            make=partial(jwt.sign, values), refused=refused,
        )  # fmt: skip

    def _attempt(self, pushes: Sequence[Push], token: Token) -> list[Outcome]:
        now = clock.now()
        outcomes: dict[str, Outcome] = {}
        batches: list[tuple[Lane, dict[str, Request]]] = []
        for environment, origin in settings.APNS_URLS.items():
            batches.append((lane_for(self.sender.credentials[0].values, origin), {}))
            for push in pushes:
                if push.endpoint is None or push.endpoint.environment != environment:
                    continue
                try:
                    batches[-1][1][push.id] = self._request(push, push.endpoint, origin, token, now)
                except ValueError as refusal:
                    outcomes[push.id] = Outcome(push.id, Result.REJECTED, Scope.MESSAGE, str(refusal))
        answers = exchange_on([(lane, list(requests.values())) for lane, requests in batches])
        for (lane, requests), batch in zip(batches, answers, strict=True):
            told = [outcome_of(id, answer, written_at=now) for id, answer in zip(requests, batch, strict=True)]
            outcomes |= {outcome.push_id: outcome for outcome in told}
            self._end_connections(lane, told)
        return [outcomes.get(push.id, _nowhere(push)) for push in pushes]

    def _end_connections(self, lane: Lane, outcomes: Sequence[Outcome]) -> None:
        reasons = {outcome.reason for outcome in outcomes} & ENDS_CONNECTION
        if reasons:
            log.error("apns.connections_ended account=%s reasons=%s", lane.owner, ",".join(sorted(reasons)))
            reopen([lane])

    def _request(self, push: Push, endpoint: Endpoint, origin: str, token: Token, now: datetime) -> Request:
        topic = self.sender.credentials[0].values["bundle_id"]
        return request_for(push, endpoint, origin=origin, topic=topic, jwt=token.text, now=now)


def lane_for(values: Mapping[str, str], origin: str) -> Lane:
    """One team and one key per connection: Apple refuses a second on it."""
    return Lane(
        jwt.subject_of(values), origin, connections=CONNECTIONS, streams=STREAMS, timeout=_TIMEOUT,
        unproven=frozenset({401, 403, 429}), fatal=frozenset({403}), proxy=values.get("proxy", ""),
    )  # fmt: skip


def _push_to_nobody(environment: str) -> Push:
    """Apple looks at the key and the topic before it looks at the device, and no device has this token."""
    nobody = Endpoint("0" * 64, environment=environment)
    return Push("0" * 32, "", Notification("", ""), "", "", clock.now(), nobody, ttl=0)


def _nowhere(push: Push) -> Outcome:
    return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "MissingDeviceToken")


def _check_shape(values: Mapping[str, str]) -> None:
    for field in ("team_id", "key_id"):
        if not _ID.fullmatch(values[field]):
            raise CredentialInvalid(field, _("Ten capital letters and digits, as Apple's developer site shows them."))
    if not _TOPIC.fullmatch(values["bundle_id"]):
        raise CredentialInvalid("bundle_id", _("Give the app's bundle id, such as com.example.shop."))
    try:
        jwt.read_private_key(values["private_key"])
    except ValueError:
        raise CredentialInvalid("private_key", _("Paste the whole .p8 file, first and last line included.")) from None
