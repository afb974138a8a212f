"""Which route comes first, and which next."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apps.messaging.models import Delivery
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.sending.strategies import Plan, Strategy, next_route, plan_for, steps_on
from apps.messaging.services import accept_message
from apps.providers import registry
from apps.providers.base import Outcome, Push, Result, Scope
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

ROUTES = ["apns", "realtime", "email"]


@pytest.mark.parametrize(
    ("strategy", "plan"),
    [
        (Strategy.IN_SEQUENCE, Plan(("apns",), ("realtime", "email"))),
        (Strategy.REALTIME_FIRST, Plan(("realtime",), ("apns", "email"))),
        (Strategy.ROUTE_FIRST, Plan(("apns",), ("email", "realtime"))),
        (Strategy.REALTIME_ONLY, Plan(("realtime",))),
        (Strategy.ROUTE_ONLY, Plan(("apns",), ("email",))),
        (Strategy.ALL, Plan(("apns", "realtime", "email"))),
    ],
)
def test_a_strategy_orders_the_routes(strategy: Strategy, plan: Plan) -> None:
    assert plan_for(strategy, ROUTES) == plan


def test_a_strategy_that_leaves_no_route_is_refused() -> None:
    with pytest.raises(ValueError, match="no route"):
        plan_for(Strategy.ROUTE_ONLY, ["realtime"])


def test_the_own_socket_is_added_where_the_strategy_wants_it() -> None:
    assert plan_for(Strategy.REALTIME_FIRST, ["apns"]) == Plan(("realtime",), ("apns",))


def test_routes_follow_each_other_until_the_last() -> None:
    plan = plan_for(Strategy.REALTIME_FIRST, ROUTES)
    assert [next_route(plan, route) for route in ("realtime", "apns", "email")] == ["apns", "email", None]


def test_routes_that_are_asked_together_do_not_follow_each_other() -> None:
    plan = plan_for(Strategy.ALL, ROUTES)
    assert {next_route(plan, route) for route in ROUTES} == {None}


@pytest.mark.parametrize(
    ("outcome", "at_most_once", "at_least_once"),
    [
        (Outcome("id", Result.ACCEPTED), False, False),
        (Outcome("id", Result.UNKNOWN, Scope.PROVIDER), False, True),
        (Outcome("id", Result.REJECTED, Scope.MESSAGE), False, False),
        (Outcome("id", Result.REJECTED, Scope.DEVICE), True, True),
        (Outcome("id", Result.REJECTED, Scope.CREDENTIAL), True, True),
        (Outcome("id", Result.UNREGISTERED, Scope.DEVICE), True, True),
        (Outcome("id", Result.THROTTLED, Scope.CREDENTIAL), True, True),
    ],
)
def test_an_outcome_decides_whether_the_next_route_is_asked(
    outcome: Outcome, at_most_once: bool, at_least_once: bool
) -> None:
    assert steps_on(outcome, at_least_once=False) is at_most_once
    assert steps_on(outcome, at_least_once=True) is at_least_once


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker", "clean_valkey")
@pytest.mark.parametrize(
    ("strategy", "answers", "asked"),
    [
        (Strategy.ALL, {}, [("realtime", "accepted"), ("console", "accepted")]),
        (Strategy.ROUTE_FIRST, {}, [("console", "accepted")]),
        (Strategy.REALTIME_ONLY, {"realtime": "no"}, [("realtime", "rejected")]),
        (Strategy.ROUTE_FIRST, {"console": "no"}, [("console", "rejected"), ("realtime", "accepted")]),
    ],
)
def test_a_message_goes_about_its_routes_as_it_was_told(
    application: Application, people: list[str], monkeypatch: pytest.MonkeyPatch,
    strategy: Strategy, answers: dict[str, str], asked: list[tuple[str, str]],
) -> None:  # fmt: skip
    class Network:
        def __init__(self, name: str) -> None:
            self.name = name

        def send(self, pushes: Sequence[Push]) -> list[Outcome]:
            refusal = (Result.REJECTED, Scope.DEVICE, "no")
            return [Outcome(push.id, *(refusal if self.name in answers else (Result.ACCEPTED,))) for push in pushes]

    monkeypatch.setattr(registry, "_factory", lambda name: lambda _sender: Network(name))
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}},
            routes=["realtime", "console"], external_ids=people[:1], strategy=strategy,
        )  # fmt: skip
    send_due_chunks(seconds=30)
    with tenant_scope(application.tenant):
        rows = Delivery.objects.of(application.tenant_id).filter(message=message).order_by("id")
        assert list(rows.values_list("route", "state")) == asked
