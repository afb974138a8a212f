"""One token for all processes, made by one at a time, and nobody stuck behind one that died."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection

from apps.core import clock as house_clock
from apps.providers.models import AccessToken
from apps.providers.tokens import Token, TokenPolicy, TokenUnavailable, shared_token
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.providers.factories import SENT_AT

POLICY = TokenPolicy(renew_after=timedelta(minutes=50), keep_for=timedelta(minutes=20), wait=0.2)


class Maker:
    """Counts how often a token is made."""

    def __init__(self) -> None:
        self.made = 0
        self._lock = threading.Lock()

    def __call__(self) -> Token:
        with self._lock:
            self.made += 1
            now = house_clock.now()
            return Token(f"token-{self.made}", now, now + timedelta(hours=1))


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SENT_AT, tick=False) as traveller:
        yield traveller


def _get(tenant: Tenant, make: Maker, refused: str = "", policy: TokenPolicy = POLICY) -> str:
    return shared_token(tenant_id=tenant.pk, subject="apns:T:K", policy=policy, make=make, refused=refused).text


@pytest.mark.django_db
def test_a_token_is_made_once_and_renewed_when_it_is_old(tenant: Tenant, clock: time_machine.Traveller) -> None:
    make = Maker()
    texts = []
    for minutes in (0, 49, 1, 49, 1):
        clock.shift(timedelta(minutes=minutes))
        texts.append(_get(tenant, make))
    assert texts == ["token-1", "token-1", "token-2", "token-2", "token-3"]


@pytest.mark.django_db
def test_a_refused_token_is_replaced_only_when_it_is_not_young(tenant: Tenant, clock: time_machine.Traveller) -> None:
    make = Maker()
    first = _get(tenant, make)
    assert _get(tenant, make, refused=first) == "token-1"
    clock.shift(timedelta(minutes=20))
    assert _get(tenant, make, refused=first) == "token-2"
    assert _get(tenant, make, refused=first) == "token-2"
    assert make.made == 2


@pytest.mark.django_db
def test_another_tenant_has_a_token_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    make = Maker()
    assert [_get(tenant, make), _get(other_tenant, make), _get(tenant, make)] == ["token-1", "token-2", "token-1"]


@pytest.mark.django_db
def test_a_maker_that_fails_leaves_the_next_one_free(tenant: Tenant) -> None:
    def fail() -> Token:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shared_token(tenant_id=tenant.pk, subject="apns:T:K", policy=POLICY, make=fail)
    assert _get(tenant, Maker()) == "token-1"


@pytest.mark.django_db
def test_while_another_renews_the_old_token_serves(tenant: Tenant, clock: time_machine.Traveller) -> None:
    make = Maker()
    _get(tenant, make)
    clock.shift(timedelta(minutes=55))
    _claim(tenant)
    assert (_get(tenant, make), make.made) == ("token-1", 1)


@pytest.mark.django_db
def test_whoever_waits_in_vain_says_so_and_a_dead_maker_is_succeeded(
    tenant: Tenant, clock: time_machine.Traveller
) -> None:
    make = Maker()
    with tenant_scope(tenant):
        AccessToken.objects.create(tenant=tenant, subject="apns:T:K")
    _claim(tenant)
    with pytest.raises(TokenUnavailable):
        _get(tenant, make)
    clock.shift(timedelta(minutes=1))
    assert _get(tenant, make) == "token-1"


def _claim(tenant: Tenant) -> None:
    """Somebody else is making one."""
    with tenant_scope(tenant):
        until = house_clock.now() + timedelta(seconds=20)
        assert AccessToken.objects.of(tenant).update(renewing_until=until) == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_token(tenant: Tenant) -> None:
    make = Maker()
    patient = TokenPolicy(POLICY.renew_after, POLICY.keep_for, wait=20.0)

    def ask(_: int) -> str:
        try:
            return _get(tenant, make, policy=patient)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(12))) == {"token-1"}
    assert make.made == 1
