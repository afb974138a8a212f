"""A day's quota, counted once for all workers."""

from __future__ import annotations

import pytest
import redis

from apps.core import valkey
from apps.providers.quotas import DayQuota

pytestmark = pytest.mark.usefixtures("clean_valkey")


def test_what_is_beyond_the_limit_is_not_granted(region: str) -> None:
    quota = DayQuota(region, "oppo:a:marketing:20261123", 10)
    assert [quota.take(4), quota.take(4), quota.take(4), quota.take(4)] == [4, 4, 2, 0]
    assert quota.used() == 10


def test_what_was_not_sent_is_free_again(region: str) -> None:
    quota = DayQuota(region, "oppo:a:marketing:20261123", 10)
    quota.take(10)
    quota.give_back(3)
    assert quota.take(5) == 3


def test_without_a_limit_everything_is_granted_until_the_network_says_enough(region: str) -> None:
    quota = DayQuota(region, "oppo:a:marketing:20261123")
    assert quota.take(1_000_000) == 1_000_000
    quota.close()
    assert quota.take(1) == 0
    assert DayQuota(region, "oppo:a:marketing:20261124").take(1) == 1


def test_nothing_of_it_is_kept_for_longer_than_two_days(region: str) -> None:
    quota = DayQuota(region, "oppo:a:marketing:20261123", 10)
    quota.take(1)
    closed = DayQuota(region, "oppo:a:service:20261123")
    closed.close()
    [first, second] = valkey.connect(region).keys("push:quota:*")
    assert all(0 < valkey.connect(region).ttl(key) <= 2 * 86_400 for key in (first, second))


def test_without_valkey_the_network_counts_alone(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = redis.Redis(unix_socket_path="/nonexistent/valkey.sock")
    monkeypatch.setattr(valkey, "connect", lambda _region: nobody)
    quota = DayQuota(region, "oppo:a:marketing:20261123", 1)
    quota.give_back(1)
    quota.close()
    assert (quota.take(5), quota.used()) == (5, 0)
