"""Runs beside each other: whose, how many, and intervals that are as wide as they have to be."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.test import Client

from apps.campaigns.comparing import newcombe
from apps.campaigns.experiments.sequential import Group
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.api.theirs import MAKERS
from tests.dashboard.conftest import member_client
from tests.dashboard.test_campaign_results import report, sent
from tests.sending import Recorder, make_people


def test_the_interval_is_newcombes() -> None:
    """The example of the paper: 56 of 70 against 48 of 80 (Newcombe 1998, table II, method 10)."""
    found = newcombe(Group(80, 48), Group(70, 56), 0.05)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


@pytest.mark.parametrize(("first", "second"), [((1, 0), (1, 1)), ((5, 5), (5, 5)), ((10, 0), (1_000_000, 0))])
def test_extremes_stay_within_what_rates_can_be(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = newcombe(Group(*first), Group(*second), 0.001)
    assert -1 <= found.low <= found.estimate <= found.high <= 1


def test_the_true_difference_lies_inside_as_often_as_said() -> None:
    chance = random.Random(20260520)
    missed = 0
    for _ in range(1_000):
        first, second = (sum(chance.random() < 0.1 for _ in range(200)) for _ in range(2))
        found = newcombe(Group(200, first), Group(200, second), 0.05)
        missed += not found.low <= 0 <= found.high
    assert missed <= 70  # 5 % of 1,000, and three standard errors


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
class TestRuns:
    def test_campaigns_are_compared_with_the_first(self, application: Application, network: Recorder, api: Any) -> None:
        make_people(application, 20)
        first = sent(application)
        report(network, "opened", 5)
        network.pushes.clear()
        second = sent(application)
        report(network, "opened", 15)
        told = api.get(f"/api/v1/campaigns/comparison?of={first.public_id},{second.public_id}").json()["runs"]
        assert [run["campaign_id"] for run in told] == [first.public_id, second.public_id]
        opened = [next(rate for rate in run["rates"] if rate["step"] == "opened") for run in told]
        assert [(rate["rate"], rate["base"], rate["people"]) for rate in opened] == [
            (0.25, "accepted", 20), (0.75, "accepted", 20),
        ]  # fmt: skip
        assert (opened[0]["difference"], opened[1]["difference"]) == (None, 0.5)
        assert opened[1]["low"] < 0.5 < opened[1]["high"]

    def test_the_page_shows_bars_a_table_and_what_to_choose(
        self, tenant: Tenant, application: Application, network: Recorder, api: Any
    ) -> None:
        make_people(application, 4)
        ids = [sent(application).public_id for _ in range(2)]
        marketer = member_client(tenant, Role.MARKETER)
        html = marketer.get("/campaigns/compare").content.decode()
        assert html.count('type="checkbox" name="of"') == 2
        html = marketer.get(f"/campaigns/compare?of={ids[0]}&of={ids[1]}").content.decode()
        assert html.count('<svg class="chart"') == 5
        assert html.count(" checked>") == 2
        assert "100.0 %" in html
        assert "+0.0" not in html  # no sign where there is no difference
        assert "Choose 2 to 8 runs" in marketer.get(f"/campaigns/compare?of={ids[0]}&of={ids[0]}").content.decode()

    def test_too_few_too_many_unstarted_and_other_peoples_are_refused(
        self, application: Application, network: Recorder, api: Any, other_application: Application
    ) -> None:
        make_people(application, 1)
        mine = sent(application).public_id
        with tenant_scope(application.tenant):
            draft = MAKERS["campaign_id"](application.tenant, application)
        with tenant_scope(other_application.tenant):
            theirs = MAKERS["campaign_id"](other_application.tenant, other_application)
        for of, status in (
            ("", 400), (mine, 400), (f"{mine},{mine}", 400), (f"{mine},{draft}", 400),
            (",".join(f"run_{n}" for n in range(9)), 400), (f"{mine},{theirs}", 404), (f"{mine},run_x", 404),
        ):  # fmt: skip
            assert api.get(f"/api/v1/campaigns/comparison?of={of}").status_code == status, of

    def test_nobody_compares_without_the_right(self, client: Client) -> None:
        assert client.get("/campaigns/compare").status_code == 302
