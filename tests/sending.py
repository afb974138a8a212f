"""What tests of sending share: a network that writes down what it is given, and an audience.

`tests/<area>/conftest.py` imports the fixtures it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.providers import registry
from apps.providers.base import Outcome, Provider, Push, Result, Sender
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope


class Recorder:
    """The network of a test. answer: what becomes of a push; raising stands for whatever can go wrong."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.answer: Callable[[Push], Outcome] = lambda push: Outcome(push.id, Result.ACCEPTED)
        self.before: Callable[[], None] = lambda: None

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        self.before()
        self.pushes.extend(pushes)
        return [self.answer(push) for push in pushes]

    @property
    def recipients(self) -> list[str]:
        return [push.recipient for push in self.pushes]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The routes `realtime` and `console` lead here."""
    recorder = Recorder()

    def factory(_name: str) -> Callable[[Sender], Provider]:
        return lambda _sender: recorder

    monkeypatch.setattr(registry, "_factory", factory)
    return recorder


def make_people(application: Application, count: int, **common: object) -> list[str]:
    """Subscribers `person-0000` …, with attribute name `Name 0` …; opens its own scope. Answers their external ids."""
    names = [f"person-{number:04}" for number in range(count)]
    people = [
        {"external_id": name, "attributes": {"name": f"Name {number}"}, **common} for number, name in enumerate(names)
    ]
    with tenant_scope(application.tenant):
        for start in range(0, count, 1000):
            upsert_subscribers_in_bulk(
                tenant=application.tenant, application=application, people=people[start : start + 1000]
            )
    return names


@pytest.fixture
def people(application: Application) -> list[str]:
    """Three subscribers."""
    return make_people(application, 3)
