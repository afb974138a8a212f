"""Variants of a campaign as a marketer writes them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.dashboard.campaigns.arms import shares_of
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.dashboard.test_campaigns import EN, made, marketer, only, plan, words
from tests.sending import people

__all__ = ["marketer", "people"]

pytestmark = pytest.mark.django_db

FRIENDLY = {"language": "en", "title": "Friendly {{ subscriber.name }}", "body": "News"}


def arms(*variants: tuple[str, int, dict[str, str]], **more: Any) -> dict[str, Any]:
    """What the editor posts of variants: (name, share, words), the campaign's own first."""
    posted = plan(**words(variants[0][2])) | {"arms-TOTAL_FORMS": str(len(variants))}
    for number, (key, share, text) in enumerate(variants):
        posted |= {f"arms-{number}-key": key, f"arms-{number}-share": str(share)}
        if number:
            posted |= {f"arms-{number}-{name}": value for name, value in words(text).items()}
    return {**posted, "metric": "opened", "winner": "off", **more}


def test_two_variants_a_holdout_and_a_winner_are_saved_and_shown(
    marketer: Client, tenant: Tenant, people: list[str]
) -> None:
    winner = {"winner": "on", "winner_share": "20", "winner_count": "2", "winner_unit": "3600", "winner_early": "on"}
    address = made(marketer, **arms(("short", 60, EN), ("friendly", 40, FRIENDLY), holdout="10", **winner))
    assert only(tenant, Campaign).experiment == {
        "variants": [
            {"key": "short", "weight": 60},
            {"key": "friendly", "weight": 40, "content": {"en": {"title": FRIENDLY["title"], "body": "News"}}},
        ],
        "metric": "opened", "holdout": 10, "winner": {"share": 20, "after": 7_200, "early": True},
    }  # fmt: skip
    review = marketer.get(address).content.decode()
    assert "short 60 %, friendly 40 %" in review
    assert "20 % try them; chosen after 2 hours, or sooner when it is certain" in review
    assert "10 % of the people" in review
    assert "Who gets which variant" in review


def test_saving_what_stands_in_the_editor_changes_nothing(marketer: Client, tenant: Tenant) -> None:
    made(marketer, **arms(("a", 34, EN), ("b", 33, FRIENDLY), ("c", 33, {**EN, "title": "Third"}), holdout="5"))
    campaign = only(tenant, Campaign)
    experiment = campaign.experiment
    experiment["variants"][1]["routes"] = ["console"]
    for variant in experiment["variants"]:
        variant["weight"] = 1
    with tenant_scope(tenant):
        campaign.changed(experiment=experiment)
    page = marketer.get(f"/campaigns/{campaign.public_id}/edit")
    editor = page.context["arms"]
    posted = {**plan(**words(EN)), "arms-TOTAL_FORMS": "3", "holdout": "5", "metric": "opened", "winner": "off"}
    for arm in editor:
        prefix = f"arms-{arm.number}"
        posted |= {f"{prefix}-{name}": arm.form[name].value() for name in ("was", "key", "share")}
        if arm.number:
            [given] = [form.initial for form in arm.words]
            posted |= {f"{prefix}-{name}": value for name, value in words(given).items()}
    response = marketer.post(f"/campaigns/{campaign.public_id}/edit", posted)
    assert response.status_code == 302, response.content.decode()
    assert only(tenant, Campaign).experiment == experiment


def test_a_variant_that_is_renamed_keeps_its_routes_and_one_that_is_removed_goes(
    marketer: Client, tenant: Tenant
) -> None:
    made(marketer, **arms(("a", 40, EN), ("b", 30, FRIENDLY), ("c", 30, FRIENDLY)))
    campaign = only(tenant, Campaign)
    campaign.experiment["variants"][1]["routes"] = ["console"]
    with tenant_scope(tenant):
        campaign.changed(experiment=campaign.experiment)
    posted = arms(("a", 50, EN), ("warm", 50, FRIENDLY), ("c", 30, FRIENDLY))
    posted |= {"arms-1-was": "b", "arms-2-was": "c", "arms-2-DELETE": "on"}
    marketer.post(f"/campaigns/{campaign.public_id}/edit", posted)
    variants = only(tenant, Campaign).experiment["variants"]
    assert [(one["key"], one["weight"], one.get("routes")) for one in variants] == [
        ("a", 50, None), ("warm", 50, ["console"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variants", "more", "said"),
    [
        ([("a", 50, EN), ("b", 40, FRIENDLY)], {}, "All shares together are 100 per cent, and these are 90."),
        ([("a", 50, EN), ("A b", 50, FRIENDLY)], {}, "A key has 1 to 12 small letters"),
        ([("a", 50, EN), ("a", 50, FRIENDLY)], {}, "Each variant has a key of its own."),
        ([("a", 50, EN), ("b", 50, {**FRIENDLY, "language": "de"})], {}, "in the same languages as the campaign"),
        ([("a", 50, EN), ("b", 50, {**FRIENDLY, "title": "{{ oops"})], {}, "Line 1, column"),
        ([("a", 50, EN), ("b", 50, FRIENDLY)], {"holdout": "51"}, "less than or equal to 50"),
        ([("a", 50, EN), ("b", 50, FRIENDLY)], {"winner": "on", "winner_share": "", "winner_count": "4"}, "Say how"),
        (
            [("a", 50, EN), ("b", 50, FRIENDLY)],
            {"winner": "on", "winner_share": "20", "winner_count": "59", "winner_unit": "60"},
            "A winner is chosen after 1 hour to 14 days",
        ),
    ],
)
def test_what_cannot_be_compared_is_explained_and_nothing_is_saved(
    marketer: Client, tenant: Tenant, variants: list[Any], more: dict[str, str], said: str
) -> None:
    response = marketer.post("/campaigns/new", arms(*variants, **more))
    assert response.status_code == 200
    assert said in response.content.decode()
    with tenant_scope(tenant):
        assert not Campaign.objects.of(tenant).exists()


def test_a_holdout_needs_no_second_variant(marketer: Client, tenant: Tenant) -> None:
    made(marketer, holdout="5")
    assert only(tenant, Campaign).experiment == {
        "variants": [{"key": "a", "weight": 100}], "metric": "opened", "holdout": 5, "winner": None,
    }  # fmt: skip


def test_the_preview_shows_the_variant_that_is_being_written(marketer: Client, people: list[str]) -> None:
    posted = arms(("a", 50, EN), ("b", 50, FRIENDLY)) | {"preview_for": people[1]}
    first = marketer.post("/templates/preview", posted).content.decode()
    second = marketer.post("/templates/preview", posted | {"shown_words": "arms-1-words"}).content.decode()
    assert "Hi Name 1" in first
    assert "variant a" in first
    assert "Friendly Name 1" in second
    assert "variant b" in second


def test_words_that_only_the_api_writes_stay_with_their_variant(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    own = {"en": {"title": "A", "data": {"sku": 1}}}
    other = {"en": {"title": "B", "data": {"sku": 2}}}
    experiment = {"variants": [{"key": "a", "weight": 50}, {"key": "b", "weight": 50, "content": other}]}
    with tenant_scope(tenant):
        campaign = create_campaign(
            tenant=tenant,
            application=application,
            plan=Plan("C", {"all": True}, ["realtime"], content=own, experiment=experiment),
        )
    posted = arms(("a", 50, EN), ("b", 50, FRIENDLY)) | {"arms-0-was": "a", "arms-1-was": "b"}
    assert marketer.post(f"/campaigns/{campaign.public_id}/edit", posted).status_code == 302
    changed = only(tenant, Campaign)
    assert changed.content["en"]["data"] == {"sku": 1}
    assert changed.experiment["variants"][1]["content"]["en"]["data"] == {"sku": 2}


@pytest.mark.parametrize(
    "weights", [[1], [1, 1, 1], [1, 2], [1_000, 1], [1_000, 1, 1, 1, 1], [7, 11, 13, 17], [3, 3, 1]]
)
def test_shares_are_a_hundred_and_leave_nobody_out(weights: list[int]) -> None:
    shares = shares_of(weights)
    assert sum(shares) == 100
    assert min(shares) >= 1
    for share, weight in zip(shares, weights, strict=True):
        assert share == pytest.approx(weight * 100 / sum(weights), abs=4)


def test_buttons_are_written_kept_in_the_editor_and_seen_in_the_preview(
    marketer: Client, tenant: Tenant, people: list[str]
) -> None:
    row = {
        "button_0_title": "Buy, {{ subscriber.name }}",
        "button_0_url": "https://shop.test/",
        "button_1_title": "Later",
    }
    made(marketer, **words({**EN, **row}))
    campaign = only(tenant, Campaign)
    assert campaign.content["en"]["buttons"] == [
        {"title": "Buy, {{ subscriber.name }}", "url": "https://shop.test/"}, {"title": "Later"},
    ]  # fmt: skip
    [form] = marketer.get(f"/campaigns/{campaign.public_id}/edit").context["arms"].first
    assert {name: form[name].value() for name in row} == row
    preview = marketer.post("/templates/preview", {"preview_for": people[1], **words({**EN, **row})}).content.decode()
    assert "Buy, Name 1" in preview
    wrong = marketer.post("/campaigns/new", plan(**words({**EN, "button_1_action": "later"})))
    assert "Line 1, column 1: is empty" in wrong.content.decode()


def test_the_editor_tells_who_reads_which_language(marketer: Client, people: list[str]) -> None:
    de = {"language": "de", "title": "Hallo"}
    shown = marketer.post("/campaigns/readers", plan(**words(de))).content.decode()
    assert f'data-text="de">{len(people)}<' in shown
    both = marketer.post("/campaigns/readers", plan(**words(de, EN))).content.decode()
    assert f'data-text="en">{len(people)}<' in both
    assert 'data-text="de">0<' in both
    nobody = marketer.post("/campaigns/readers", plan(people="ids", external_ids="nobody"))
    assert "Nobody is in this audience." in nobody.content.decode()
    assert "when the people are chosen" in marketer.post("/campaigns/readers", plan(people="ids")).content.decode()
