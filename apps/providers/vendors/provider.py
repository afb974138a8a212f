"""What sending by any vendor is: checks, quota, pace, one shared token, requests for many devices, one renewal.

A vendor's own file says what it needs, writes its requests and reads its answers.
"""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.base import Endpoint, Limits, Needs, Notification, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.exchanges import Answer, Lane, Reply, Request
from apps.providers.http import exchange
from apps.providers.pacing import Pace
from apps.providers.proxies import PROXY
from apps.providers.quotas import DayQuota
from apps.providers.tokens import TokenRefused, TokenUnavailable
from apps.providers.vendors.answers import CHINA, MIDNIGHT, Codes, Said, seconds_until
from apps.providers.vendors.content import groups_of, is_marketing
from apps.providers.vendors.fields import LIMIT_FIELDS, Rules, check_limits, limits_in_china

_STREAMS, _TIMEOUT = 16, 15.0
#: Seconds a call waits for its turn; beyond that the pushes are given back.
_PATIENCE = 10.0
#: What the vendors' tokens are made of. A comma in one would be two for those that take lists.
_TOKEN = re.compile(r"[0-9A-Za-z_:./+=|~-]{1,512}")
_LIMITS = frozenset(field.name for field in LIMIT_FIELDS) | {PROXY.name}


class VendorProvider(ABC):
    """A vendor's channel. nobody: an address that no device has, shaped as the vendor's are."""

    name: ClassVar[str]
    needs: ClassVar[Needs]
    limits: ClassVar[Limits] = limits_in_china()
    rules: ClassVar[Rules]
    codes: ClassVar[Codes]
    nobody: ClassVar[str] = "0" * 32

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.values: Mapping[str, str] = sender.credentials[0].values if sender.credentials else {}

    @abstractmethod
    def request(self, group: Sequence[Push], token: str) -> Request:
        """One request for a group."""

    @abstractmethod
    def read(self, reply: Reply, group: Sequence[Push]) -> Said: ...

    @abstractmethod
    def check_shape(self) -> None:
        """Raises CredentialInvalid for what no network needs to be asked about."""

    def check_content(self, push: Push) -> None:
        """Raises ValueError, with a reason, for what the vendor would refuse."""
        shown = push.notification
        for text, longest, name in ((shown.title, self.rules.title, "TITLE"), (shown.body, self.rules.body, "BODY")):
            if not text.strip():
                raise ValueError(f"{name}_MISSING")
            if self.rules.measure(text) > longest:
                raise ValueError(f"{name}_TOO_LONG")

    def token(self, refused: str = "") -> str:
        """What goes into a request to be believed. refused: one that is not. Raises TokenRefused, TokenUnavailable."""
        return ""

    def check(self) -> None:
        """Sends to nobody, in either class: "no such device" means a good account."""
        check_limits(self.values)
        self.check_shape()
        outcomes = self._answers_for([self._push_to_nobody(purpose) for purpose in ("marketing", "service")])
        for outcome in outcomes:
            if outcome.result is Result.REJECTED and outcome.scope in {Scope.CREDENTIAL, Scope.MESSAGE}:
                problem = _("The vendor refuses this credential: %(reason)s.") % {"reason": outcome.reason}
                raise CredentialInvalid("__all__", problem)
            is_limit = outcome.result is Result.THROTTLED and outcome.reason not in self.codes.lifts_at
            if is_limit or outcome.result in {Result.UNAVAILABLE, Result.UNKNOWN}:
                raise NetworkSilent

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not self.sender.credentials:
            return _all(pushes, Result.REJECTED, "no_credential")
        known = self._refusals(pushes)
        ready = [push for push in pushes if push.id not in known]
        known |= {outcome.push_id: outcome for outcome in self._send(ready)}
        return [known[push.id] for push in pushes]

    @property
    def account(self) -> str:
        """Whom tokens, quota, pace and connections belong to: the same values twice are one account."""
        values = [self.values.get(field.name, "") for field in self.needs.fields if field.name not in _LIMITS]
        name = "\n".join([str(self.sender.tenant_id), *values]).encode()
        return f"{self.name}:{hashlib.blake2b(name, digest_size=16).hexdigest()}"

    def quota(self, of_marketing: bool) -> DayQuota:
        """Today's, in China."""
        day = clock.now().astimezone(CHINA).date()
        declared = self.values.get("daily_quota") if of_marketing else ""
        kind = "marketing" if of_marketing else "service"
        key = f"{self.account}:{kind}:{day:%Y%m%d}"
        return DayQuota(self.sender.region, key, int(declared) if declared else None)

    def quota_left(self) -> int | None:
        """Marketing pushes of today; None when nobody has said how many there are."""
        quota = self.quota(of_marketing=True)
        return None if quota.limit is None else max(0, quota.limit - quota.used())

    # --- For the vendors' own files

    def value(self, field: str) -> str:
        """Empty for an optional field that was not given."""
        return self.values.get(field, "")

    def url(self, path: str) -> str:
        return f"{settings.VENDOR_URLS[self.name]}{path}"

    def ttl_of(self, push: Push) -> int:
        shortest, longest = self.rules.ttl
        return longest if push.ttl is None else max(shortest, min(longest, push.ttl))

    def lane(self, origin: str = "") -> Lane:
        """origin: another than the vendor's own."""
        return Lane(
            self.account, origin or settings.VENDOR_URLS[self.name], negotiates=True, streams=_STREAMS,
            timeout=_TIMEOUT, unproven=frozenset(), proxy=self.value(PROXY.name),
        )  # fmt: skip

    def groups(self, pushes: Sequence[Push]) -> list[list[Push]]:
        """Which pushes share a request."""
        return groups_of(pushes, 1 if self.value("receipts") else self.rules.batch)

    def receipt_url(self, push: Push) -> str:
        """Where the vendor reports on this push; empty when there is nobody to report to."""
        home = str(settings.PUBLIC_URL).rstrip("/")
        return f"{home}/r/{self.name}" if push.receipt and home.startswith("https://") else ""

    def exchange(self, groups: Sequence[Sequence[Push]], token: str) -> list[Answer]:
        return exchange(self.lane(), [self.request(group, token) for group in groups])

    # --- How it is done

    def _refusals(self, pushes: Sequence[Push]) -> dict[str, Outcome]:
        """What need not be asked. Of pushes with the same content one is looked at."""
        refused: dict[str, Outcome] = {}
        for push in pushes:
            address = push.endpoint.address if push.endpoint else ""
            if not _TOKEN.fullmatch(address):
                reason = "malformed_token" if address else "no_token"
                refused[push.id] = Outcome(push.id, Result.REJECTED, Scope.DEVICE, reason)
        for group in groups_of([push for push in pushes if push.id not in refused], len(pushes)):
            try:
                self.check_content(group[0])
            except ValueError as refusal:
                reason = str(refusal)
                refused |= {one.id: Outcome(one.id, Result.REJECTED, Scope.MESSAGE, reason) for one in group}
        return refused

    def _send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not pushes:
            return []
        of_requests = self.rules.per_second_is_of_requests
        cost = len(self.groups(pushes)) if of_requests else len(pushes)
        pace = Pace(self.sender.region, self.account, float(self.value("per_second") or self.rules.per_second))
        wait = pace.take(cost)
        if wait > _PATIENCE:
            return _all(pushes, Result.THROTTLED, "paced", wait)
        allowed, outcomes = self._within_quota(pushes)
        if allowed:
            time.sleep(wait)
            sent = self._answers_for(allowed)
            self._learn(pace, allowed, sent)
            outcomes += sent
        return outcomes

    def _answers_for(self, pushes: Sequence[Push]) -> list[Outcome]:
        try:
            return self._attempt(pushes, self.token())
        except TokenRefused as refusal:
            return _all(pushes, Result.REJECTED if refusal.is_final else Result.UNAVAILABLE, refusal.reason)
        except TokenUnavailable:
            return _all(pushes, Result.UNAVAILABLE, "no_access_token")

    def _attempt(self, pushes: Sequence[Push], token: str) -> list[Outcome]:
        now = clock.now()
        groups = self.groups(pushes)
        outcomes: dict[str, Outcome] = {}
        for group, answer in zip(groups, self.exchange(groups, token), strict=True):
            said = self.read(answer, group) if isinstance(answer, Reply) else Said("")
            outcomes |= {one.push_id: one for one in self.codes.outcomes(group, answer, said, now=now)}
        return [outcomes[push.id] for push in pushes]

    def _within_quota(self, pushes: Sequence[Push]) -> tuple[list[Push], list[Outcome]]:
        """What may go today, and the outcomes of the rest."""
        allowed: list[Push] = []
        outcomes: list[Outcome] = []
        for of_marketing in (True, False):
            these = [push for push in pushes if is_marketing(push) is of_marketing]
            room = self.quota(of_marketing).take(len(these)) if these else 0
            allowed += these[:room]
            outcomes += _all(these[room:], Result.THROTTLED, "day_quota", seconds_until(MIDNIGHT, clock.now()))
        return allowed, outcomes

    def _learn(self, pace: Pace, pushes: Sequence[Push], outcomes: Sequence[Outcome]) -> None:
        """What the answers say about rate and quota, for everybody who sends by this account."""
        slow: list[float] = []
        for of_marketing in (True, False):
            these = [one for push, one in zip(pushes, outcomes, strict=True) if is_marketing(push) is of_marketing]
            unsent = sum(one.result not in {Result.ACCEPTED, Result.UNKNOWN} for one in these)
            if unsent:
                self.quota(of_marketing).give_back(unsent)
            limited = [one for one in these if one.result is Result.THROTTLED and one.scope is not Scope.DEVICE]
            if any(self.codes.lifts_at.get(one.reason) == MIDNIGHT for one in limited):
                self.quota(of_marketing).close()
            slow += [one.retry_after or 1.0 for one in limited if one.reason not in self.codes.lifts_at]
        if slow:
            pace.slow_down(max(slow))

    def _push_to_nobody(self, purpose: str) -> Push:
        shown = Notification(str(_("Test")), str(_("Nobody gets this.")), purpose=purpose)
        id = hashlib.blake2b(purpose.encode(), digest_size=16).hexdigest()
        return Push(id, "", shown, f"check-{purpose}", "", clock.now(), Endpoint(self.nobody), ttl=self.rules.ttl[0])


def _all(pushes: Iterable[Push], result: Result, reason: str, wait: float | None = None) -> list[Outcome]:
    return [Outcome(push.id, result, Scope.CREDENTIAL, reason, wait) for push in pushes]
