"""GET /channels/C/history: both directions, pages, gaps, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import keys
from tests.realtime.test_recovery import publish
from tests.realtime.wire import World, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def page(it: World, shop: Any, query: str = "", channel: str = "news") -> dict[str, Any]:
    answer = await it.signed(shop, "GET", f"/channels/{channel}/history", query=query)
    assert answer.status == 200, answer.body
    return dict(answer.body)


def numbers(answer: dict[str, Any]) -> list[int]:
    return [int(item["data"]) for item in answer["items"]]


@pytest.mark.parametrize(
    ("direction", "pages"), [("forwards", [[1, 2], [3, 4], [5]]), ("backwards", [[5, 4], [3, 2], [1]])]
)
async def test_a_log_is_read_page_by_page(region: str, direction: str, pages: list[list[int]]) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1, 2, 3, 4, 5)
        found, query = [], f"direction={direction}&limit=2"
        answer = await page(it, shop, query)
        found.append(numbers(answer))
        while answer["next"]:
            answer = await page(it, shop, f"{query}&since={answer['next']}")
            found.append(numbers(answer))
        assert found == pages
        assert answer["complete"]


async def test_an_item_names_its_event_and_place(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await it.published(shop, "news", name="price", data='{"eur":1}')
        answer = await page(it, shop)
        [item] = answer["items"]
        assert (item["event"], item["data"], item["offset"]) == ("price", '{"eur":1}', 1)
        assert (answer["epoch"], answer["offset"], answer["next"]) == (item["epoch"], 1, None)


async def test_an_unused_channel_has_an_empty_history_and_gets_no_log(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        assert await page(it, shop) == {"epoch": "", "offset": 0, "items": [], "next": None, "complete": True}
        assert not valkey.connect(region).exists(keys.meta(shop.application_id, "news"))


async def test_what_is_no_longer_there_is_said(region: str) -> None:
    shop = record(region, history_size=2)
    async with world(shop) as it:
        await publish(it, shop, "news", 1, 2, 3, 4)
        epoch = (await page(it, shop))["epoch"]
        for since, complete in ((f"{epoch}:2", True), (f"{epoch}:1", False), (f"{epoch}:9", False), ("old:3", False)):
            answer = await page(it, shop, f"direction=forwards&since={since}")
            assert answer["complete"] is complete, since
        assert numbers(answer) == [3, 4]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=301", "limit=x", "direction=up", "since=7", "since=e:-1", "since=e:%00"]
)
async def test_a_page_that_cannot_be_is_refused(region: str, query: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        answer = await it.signed(shop, "GET", "/channels/news/history", query=query)
        assert (answer.status, answer.body["code"]) == (400, "bad_request")


async def test_another_applications_history_is_not_there(region: str) -> None:
    shop, rival = record(region), record(region, tenant_id=2)
    async with world(shop, rival) as it:
        await publish(it, shop, "news", 1)
        assert (await page(it, rival))["items"] == []
        answer = await it.call("GET", f"/apps/{shop.application_id}/channels/news/history")
        assert answer.status == 401
        answer = await it.signed(shop, "GET", "/channels/%23server-to-user-ada/history")
        assert answer.status == 400
