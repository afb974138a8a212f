"""The provider `fcm`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.base import CredentialField, Endpoint, Needs, Notification, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.exchanges import Lane, Request
from apps.providers.fcm.account import POLICY, AccountInvalid, ServiceAccount, fetch_token, read_account
from apps.providers.fcm.answers import AFTER_QUOTA, THIRD_PARTY, UNAUTHENTICATED, outcome_of
from apps.providers.fcm.requests import request_for
from apps.providers.http import exchange
from apps.providers.pacing import Pace
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenRefused, TokenUnavailable, shared_token

#: Messages a second that Google allows a project unless it has raised the limit (600,000 a minute).
PER_SECOND = 10_000.0
#: Google drops a connection with more than about 100 requests under way.
CONNECTIONS, STREAMS = 4, 90
_TIMEOUT = 15.0
#: Seconds a call waits for its turn; beyond that the pushes are given back.
_PATIENCE = 10.0
_LONGEST_WAIT = 3_600.0
#: Seconds over which the speed rises after a rest, as Google asks for.
_RAMP = 60.0
#: Seconds that devices behind a key which Google lacks are left alone.
_UNTIL_A_KEY_IS_THERE = 3_600.0


class FcmProvider:
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField(
                "service_account",
                _("Service account (contents of the JSON file)"),
                is_long=True,
                help=_("Firebase console, project settings, service accounts, generate new private key."),
            ),
            PROXY,
        ),
        reaches="devices",
        platforms=("android", "ios", "web"),
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        """Reads the file, gets a token, and has Google validate a message to a device that does not exist."""
        try:
            account = self._account()
            token = self._token(account)
        except AccountInvalid:
            problem = _("Paste the whole JSON file of a service account, as the Firebase console gives it.")
            raise CredentialInvalid("service_account", problem) from None
        except TokenRefused as refusal:
            if not refusal.is_final:
                raise NetworkSilent from None
            raise CredentialInvalid("__all__", _refused_by_google(refusal.reason)) from None
        nobody = Push("0" * 32, "", Notification("", ""), "", "", clock.now(), Endpoint("nobody"), ttl=0)
        [outcome] = self._attempt([nobody], account, token, validate_only=True)
        if outcome.scope is Scope.CREDENTIAL and outcome.result is Result.REJECTED:
            raise CredentialInvalid("__all__", _refused_by_google(outcome.reason))
        if outcome.result in {Result.UNAVAILABLE, Result.UNKNOWN}:
            raise NetworkSilent

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        try:
            account = self._account()
            token = self._token(account)
        except AccountInvalid:
            return _all(pushes, Result.REJECTED, "no_credential")
        except TokenRefused as refusal:
            return _all(pushes, Result.REJECTED if refusal.is_final else Result.UNAVAILABLE, refusal.reason)
        except TokenUnavailable:
            return _all(pushes, Result.UNAVAILABLE, "no_access_token")
        pace = Pace(self.sender.region, f"{self.sender.tenant_id}:{account.project_id}", PER_SECOND, ramp=_RAMP)
        wait = pace.take(len(pushes))
        if wait > _PATIENCE:
            return _all(pushes, Result.THROTTLED, "paced", wait)
        time.sleep(wait)
        outcomes = self._resend_unauthenticated(pushes, self._attempt(pushes, account, token), account, token)
        return _slowed_down(pace, [_sparing_the_others(outcome) for outcome in outcomes])

    def _account(self) -> ServiceAccount:
        if not self.sender.credentials:
            raise AccountInvalid("none")
        return read_account(self.sender.credentials[0].values["service_account"])

    @property
    def _proxy(self) -> str:
        return self.sender.credentials[0].values.get(PROXY.name, "")

    def _token(self, account: ServiceAccount, refused: str = "") -> Token:
        return shared_token(
            tenant_id=self.sender.tenant_id, subject=account.subject, policy=POLICY,
            make=partial(fetch_token, account, self._proxy), refused=refused,
        )  # fmt: skip

    def _resend_unauthenticated(
        self, pushes: Sequence[Push], outcomes: list[Outcome], account: ServiceAccount, token: Token
    ) -> list[Outcome]:
        """Once, with a new token, what was refused for the old one. Refused again, it is not the token."""
        refused = {outcome.push_id for outcome in outcomes if outcome.reason == UNAUTHENTICATED}
        if not refused:
            return outcomes
        try:
            fresh = self._token(account, refused=token.text)
        except (TokenRefused, TokenUnavailable):
            return outcomes
        if fresh.text == token.text:
            return outcomes
        again = [push for push in pushes if push.id in refused]
        second = {outcome.push_id: _final(outcome) for outcome in self._attempt(again, account, fresh)}
        return [second.get(outcome.push_id, outcome) for outcome in outcomes]

    def _attempt(
        self, pushes: Sequence[Push], account: ServiceAccount, token: Token, *, validate_only: bool = False
    ) -> list[Outcome]:
        now = clock.now()
        made = {push.id: _request(push, account, token, now, validate_only) for push in pushes}
        requests = {id: one for id, one in made.items() if isinstance(one, Request)}
        lane = Lane(
            account.subject,
            settings.FCM_URL,
            connections=CONNECTIONS,
            streams=STREAMS,
            timeout=_TIMEOUT,
            proxy=self._proxy,
        )
        answers = dict(zip(requests, exchange(lane, list(requests.values())), strict=True))
        return [one if isinstance(one, Outcome) else outcome_of(id, answers[id], now=now) for id, one in made.items()]


def _request(
    push: Push, account: ServiceAccount, token: Token, now: datetime, validate_only: bool
) -> Request | Outcome:
    if push.endpoint is None:
        return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "no_token")
    url = f"{settings.FCM_URL}/v1/projects/{account.project_id}/messages:send"
    try:
        return request_for(push, push.endpoint, url=url, access_token=token.text, now=now, validate_only=validate_only)
    except ValueError as refusal:
        return Outcome(push.id, Result.REJECTED, Scope.MESSAGE, str(refusal))


def _final(outcome: Outcome) -> Outcome:
    return replace(outcome, result=Result.REJECTED) if outcome.reason == UNAUTHENTICATED else outcome


def _sparing_the_others(outcome: Outcome) -> Outcome:
    """A key that the project lacks for Apple, or for browsers, holds back their devices and pauses nobody else."""
    if outcome.reason not in THIRD_PARTY:
        return outcome
    return replace(outcome, result=Result.THROTTLED, scope=Scope.DEVICE, retry_after=_UNTIL_A_KEY_IS_THERE)


def _slowed_down(pace: Pace, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """With the pace corrected by what Google said; where it named no time, the longer the slower we are already."""
    spent = [one for one in outcomes if one.result is Result.THROTTLED and one.scope is Scope.CREDENTIAL]
    if not spent:
        return list(outcomes)
    longer = min(AFTER_QUOTA / pace.share(), _LONGEST_WAIT)
    waits = {one.push_id: longer if one.retry_after == AFTER_QUOTA else one.retry_after or 0.0 for one in spent}
    pace.slow_down(max(waits.values()))
    return [replace(one, retry_after=waits.get(one.push_id, one.retry_after)) for one in outcomes]


def _all(pushes: Sequence[Push], result: Result, reason: str, wait: float | None = None) -> list[Outcome]:
    return [Outcome(push.id, result, Scope.CREDENTIAL, reason, wait) for push in pushes]


def _refused_by_google(reason: str) -> object:
    return _("Google refuses this credential: %(reason)s.") % {"reason": reason}
