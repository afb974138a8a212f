"""Vendors that are spoken to with a short-lived token: one for all workers, renewed at most once per call."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.base import Outcome, Push, Result
from apps.providers.exchanges import Reply, Request
from apps.providers.http import exchange
from apps.providers.tokens import Token, TokenPolicy, TokenRefused, TokenUnavailable, shared_token
from apps.providers.vendors.provider import VendorProvider

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"content-type": "application/json; charset=utf-8"}
#: Of a token that is refused no new one is asked for within half a minute.
KEEP_FOR = timedelta(seconds=30)


class TokenProvider(VendorProvider):
    """stale: reasons after which a new token is worth a try."""

    stale: ClassVar[frozenset[str]]
    token_policy: ClassVar[TokenPolicy]

    @abstractmethod
    def make_token(self) -> Token:
        """Raises TokenRefused."""

    def token(self, refused: str = "") -> str:
        return shared_token(
            tenant_id=self.sender.tenant_id, subject=self.account, policy=self.token_policy, make=self.make_token,
            refused=refused,
        ).text  # fmt: skip

    def ask(self, request: Request) -> Reply:
        """For a token. Raises TokenRefused when nobody answers."""
        parts = urlsplit(request.url)
        [answer] = exchange(self.lane(f"{parts.scheme}://{parts.netloc}"), [request])
        if not isinstance(answer, Reply):
            raise TokenRefused(answer.reason, is_final=False)
        return answer

    def _attempt(self, pushes: Sequence[Push], token: str) -> list[Outcome]:
        """Once more, with a new token, what was refused for the old one; refused again it is the account's fault."""
        outcomes = super()._attempt(pushes, token)
        again = [push for push, outcome in zip(pushes, outcomes, strict=True) if outcome.reason in self.stale]
        if not again:
            return outcomes
        try:
            fresh = self.token(refused=token)
        except (TokenRefused, TokenUnavailable):
            return outcomes
        if fresh != token:
            second = {outcome.push_id: outcome for outcome in super()._attempt(again, fresh)}
            outcomes = [second.get(outcome.push_id, outcome) for outcome in outcomes]
        return [replace(one, result=Result.REJECTED) if one.reason in self.stale else one for one in outcomes]


def oauth_token(provider: TokenProvider, url: str, client_id: str, client_secret: str) -> Token:
    """By client credentials (RFC 6749 4.4). Raises TokenRefused."""
    now = clock.now()
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    answer = provider.ask(Request(url, FORM, urlencode(form).encode()))
    said = json_object(answer.body)
    text = said.get("access_token")
    if answer.status != 200 or not isinstance(text, str):
        reason = str(said.get("error") or answer.status)
        raise TokenRefused(reason, is_final=400 <= answer.status < 500 and answer.status not in {408, 429})
    return Token(text, now, now + timedelta(seconds=_seconds(said.get("expires_in"))))


def _seconds(given: object) -> int:
    return min(given, 86_400) if isinstance(given, int) and given > 0 else 3_600


def milliseconds(now: datetime) -> str:
    return str(int(now.timestamp() * 1000))
