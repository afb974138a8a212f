"""Django's session engine over our Session rows (`SESSION_ENGINE`).

Adds to the stock database engine: only a hash of the key is kept, a row knows its person, address and browser, and
a session ends by idleness and by age. It decides nothing about who may sign in.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction

from apps.accounts.models.sessions import ABSOLUTE_LIMIT, Session
from apps.core import clock

#: Facts that `apps.accounts.services.sessions.sign_in` leaves in the session's data and a row repeats in columns.
IP_KEY, USER_AGENT_KEY, SIGNED_IN_KEY = "ip", "user_agent", "signed_in_at"
#: "Last seen" is written at most this often.
_SEEN_EVERY = timedelta(minutes=1)


def hash_key(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()


class SessionStore(SessionBase):
    def exists(self, session_key: str | None) -> bool:
        return session_key is not None and Session.objects.filter(key_hash=hash_key(session_key)).exists()

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            with suppress(CreateError):
                self.save(must_create=True)
                break
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Raises CreateError when a new key is taken, UpdateError when the session was ended meanwhile."""
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        columns = self._columns(data)
        key_hash = hash_key(self.session_key)
        if must_create:
            try:
                with transaction.atomic():
                    Session.objects.create(key_hash=key_hash, **columns)
            except IntegrityError as error:
                raise CreateError from error
        elif not Session.objects.filter(key_hash=key_hash).update(**columns):
            raise UpdateError

    def _columns(self, data: dict[str, Any]) -> dict[str, Any]:
        signed_in_at = data.get(SIGNED_IN_KEY)
        begun = datetime.fromtimestamp(signed_in_at, UTC) if signed_in_at else clock.now()
        return {
            "data": self.encode(data),
            "user_id": int(data[USER_KEY]) if USER_KEY in data else None,
            "ip": data.get(IP_KEY),
            "user_agent": data.get(USER_AGENT_KEY, ""),
            "last_seen_at": clock.now(),
            "expires_at": begun + ABSOLUTE_LIMIT,
        }

    def load(self) -> dict[str, Any]:
        row = Session.objects.alive().filter(key_hash=hash_key(self.session_key or "")).first()
        if row is None:
            self._session_key = None
            return {}
        if clock.now() - row.last_seen_at > _SEEN_EVERY:
            Session.objects.filter(pk=row.pk).update(last_seen_at=clock.now())
        return self.decode(row.data)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(key_hash=hash_key(key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.over().delete()
