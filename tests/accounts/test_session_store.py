"""The session engine: what the table keeps, and how a session ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.test import Client

from apps.accounts.models import Session, User
from apps.accounts.models.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT
from apps.accounts.services import housekeeping
from apps.accounts.session_store import SessionStore

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_data_comes_back_under_its_key() -> None:
    store = SessionStore()
    store["colour"] = "green"
    store.save()
    assert SessionStore(store.session_key)["colour"] == "green"


def test_the_table_does_not_hold_the_key(person: User) -> None:
    client = Client()
    client.force_login(person)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM accounts_session s")
        (row,) = cursor.fetchone()
    assert key not in row


def test_a_key_that_a_stranger_invents_gets_nothing_and_is_not_kept() -> None:
    store = SessionStore("a" * 32)
    assert store.get("anything") is None
    store["colour"] = "green"
    store.save()
    assert store.session_key != "a" * 32


def test_a_session_ends_when_nobody_uses_it() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        store = SessionStore()
        store["colour"] = "green"
        store.save()
        clock.shift(IDLE_LIMIT - timedelta(seconds=1))
        assert SessionStore(store.session_key).get("colour") == "green"
        clock.shift(IDLE_LIMIT - timedelta(seconds=1))
        assert SessionStore(store.session_key).get("colour") == "green"
        clock.shift(IDLE_LIMIT)
        assert SessionStore(store.session_key).get("colour") is None


def test_a_session_ends_after_a_week_however_busy_it_is() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        store = SessionStore()
        store["signed_in_at"] = NOON.timestamp()
        store.save()
        for _n in range(15):
            clock.shift(timedelta(hours=11))
            store.cycle_key()
            store.save()
        clock.move_to(NOON + ABSOLUTE_LIMIT - timedelta(seconds=1))
        assert SessionStore(store.session_key).get("signed_in_at")
        clock.move_to(NOON + ABSOLUTE_LIMIT)
        assert SessionStore(store.session_key).get("signed_in_at") is None


def test_use_is_written_at_most_once_a_minute() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        store = SessionStore()
        store.save()
        clock.shift(60)
        SessionStore(store.session_key).get("x")
        assert Session.objects.get().last_seen_at == NOON
        clock.shift(1)
        SessionStore(store.session_key).get("x")
        assert Session.objects.get().last_seen_at == NOON + timedelta(seconds=61)


def test_a_session_ended_elsewhere_is_not_revived_by_a_late_save() -> None:
    store = SessionStore()
    store.save()
    Session.objects.all().delete()
    store["colour"] = "green"
    with pytest.raises(UpdateError):
        store.save()
    assert not Session.objects.exists()


def test_disabling_a_person_ends_what_is_open(person: User) -> None:
    client = Client()
    client.force_login(person)
    assert client.get("/organisations/").status_code == 200
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get("/organisations/").status_code == 302


def test_the_sweep_takes_what_is_over_and_leaves_the_rest() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old = SessionStore()
        old.save()
        clock.shift(IDLE_LIMIT)
        new = SessionStore()
        new.save()
        housekeeping.sweep()
        assert (old.exists(old.session_key), new.exists(new.session_key)) == (False, True)
