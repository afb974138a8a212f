"""Connections by HTTP requests: every feature as by WebSocket, on any gateway, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from apps.realtime import keys, queries
from apps.realtime.fallback import outlets, session
from apps.realtime.protocol import xhr
from tests.realtime.test_cluster import eventually
from tests.realtime.wire import World, key_of, record, world
from tests.realtime.xhr import HttpClient, Response

pytestmark = pytest.mark.usefixtures("clean_valkey")

VERBS = pytest.mark.parametrize("verb", ["xhr_streaming", "xhr"])
#: The second gateway gets every other request, so that most reach one in which the session does not live.
NODES = pytest.mark.parametrize("nodes", [1, 2])


def planes(it: World, nodes: int) -> list[Any]:
    return [it.plane, *(it.node() for _ in range(nodes - 1))]


@VERBS
@NODES
async def test_a_client_by_http_has_what_a_websocket_has(region: str, verb: str, nodes: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        ada = await HttpClient(shop, *planes(it, nodes), verb=verb).connected()
        bob = await it.client(shop)
        await ada.subscribed("presence-room", user="ada")
        roster = json.loads((await bob.subscribed("presence-room", user="bob"))["data"])["presence"]
        assert roster["ids"] == ["ada", "bob"]
        assert (await ada.event())["event"] == "pusher_internal:member_added"
        await ada.signed_in("ada")
        await ada.subscribed("#server-to-user-ada")
        await it.published(shop, "#server-to-user-ada", data="é\u2028")
        assert (await ada.event())["data"] == "é\u2028"
        ada.send("client-typing", {"n": 1}, channel="presence-room")
        assert (await bob.event())["user_id"] == "ada"
        bob.send("client-typing", {"n": 2}, channel="presence-room")
        assert (await ada.event())["data"] == '{"n":2}'
        await ada.nothing_more()
        assert await asyncio.gather(*ada.answers) == [200] * len(ada.answers)
        await ada.gone()
        await bob.gone()


@VERBS
@pytest.mark.parametrize(
    ("key", "query", "code"),
    [
        ("nobody", "protocol=7", 4001),
        ("", "client=js", 4008),
        ("", "protocol=99", 4007),
        ("", "protocol=7&version=%3C", 4006),
    ],
)
async def test_a_refusal_comes_after_the_opening_line(region: str, verb: str, key: str, query: str, code: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        target = f"/pusher/app/{key or key_of(shop)[0]}/1/abcdefgh/{verb}?{query}"
        response = Response(it.plane, target)
        assert await response.started() == 200
        assert await response.line() == "o"
        assert json.loads((await response.line())[1:])[0] == code
        await response.task


@VERBS
async def test_sessions_count_against_the_connection_limit(region: str, verb: str) -> None:
    shop = record(region, max_connections=1)
    async with world(shop) as it:
        client = await it.client(shop)
        refused = HttpClient(shop, it.plane, verb=verb)
        assert await refused.line() == "o"
        assert await refused.closed() == 4004
        await refused.gone()
        await client.gone()


@NODES
async def test_a_stream_is_left_at_the_limit_and_nothing_is_lost(region: str, nodes: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, *planes(it, nodes)).connected()
        await client.subscribed("news")
        seen: list[int] = []
        for number in range(40):
            await it.published(shop, "news", data=f"{number} ".ljust(10_000, "é")[:5_000])
        while len(seen) < 40:
            seen.append(int((await client.event())["data"].partition(" ")[0]))
            if client.response.size >= xhr.MAX_RESPONSE and not client.response._text:
                left = client.response
                client.open()
                await left.gone()
        assert seen == list(range(40))
        await client.nothing_more()
        await client.gone()


async def until_empty(it: World, shop: Any, region: str) -> None:
    async def empty() -> bool:
        return not queries.connection_count(region=region, tenant_id=1, application_id=shop.application_id)

    await eventually(empty)


@VERBS
@NODES
async def test_an_abandoned_session_is_given_back(
    region: str, verb: str, nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ABANDONED_AFTER", 0.05)
    shop = record(region)
    async with world(shop) as it:
        watcher = await it.client(shop)
        await watcher.subscribed("presence-room", user="watcher")
        client = await HttpClient(shop, *planes(it, nodes), verb=verb).connected()
        client.send("pusher:subscribe", {
            "channel": "presence-room", "channel_data": '{"user_id":"ada"}',
            "auth": client.auth("presence-room", '{"user_id":"ada"}'),
        })  # fmt: skip
        assert (await watcher.event())["event"] == "pusher_internal:member_added"
        await client.gone()
        assert (await watcher.event())["event"] == "pusher_internal:member_removed"
        await watcher.gone()
        await until_empty(it, shop, region)
        assert await client.sent(b"[]") == 404
        again = HttpClient(shop, it.plane, verb=verb)
        again.base = client.base
        assert await again.line() == "o", "a client that comes back too late sees that its session was lost"
        await again.gone()


async def test_what_comes_between_two_polls_waits(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, it.plane, it.node(), verb="xhr").connected()
        await client.subscribed("news")
        for number in range(3):
            await it.published(shop, "news", data=str(number))
        assert [(await client.event())["data"] for _ in range(3)] == ["0", "1", "2"]
        await client.nothing_more()
        await client.gone()


async def test_more_than_may_wait_ends_the_session(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, it.plane).connected()
        await client.subscribed("news")
        await client.response.gone()
        for number in range(120):
            await it.published(shop, "news", data=str(number).ljust(10_000))
        codes = []
        while not codes:
            client.open()
            assert await client.response.started() == 200
            line = "-"
            while line and not codes and client.response.size < xhr.MAX_RESPONSE:
                line = await client.response.line()
                codes += [json.loads(line[1:])[0]] if line[0] == "c" else []
            await client.response.gone()
        assert codes == [4100]


@VERBS
async def test_heartbeats_go_both_ways_and_end(region: str, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HEARTBEAT", 0.05)
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, it.plane, verb=verb).connected()
        assert await client.line() == "h"
        monkeypatch.setattr(session, "HEARTBEAT", 60)
        if verb == "xhr_streaming":
            assert await client.sent(b"[]") == 200, "the answer to the server's heartbeat"
        await client.nothing_more()
        await client.sent(b"[]")
        assert await client.line() == "h", "the client's own heartbeat is answered"
        await client.gone()


@VERBS
@NODES
async def test_a_session_is_told_why_it_ends(region: str, verb: str, nodes: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, *planes(it, nodes), verb=verb).connected()
        await client.signed_in("ada")
        assert (await it.signed(shop, "POST", "/users/ada/terminate_connections", {})).status == 200
        assert await client.closed() == 4009
        await client.gone()
        await until_empty(it, shop, region)


async def test_a_draining_gateway_sends_its_sessions_elsewhere(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        streaming = await HttpClient(shop, it.plane).connected()
        polling = await HttpClient(shop, it.plane, verb="xhr").connected()
        draining = asyncio.create_task(it.plane.plane().drain(0))
        assert await streaming.closed() == 4200
        assert await polling.closed() == 4200
        late = Response(it.plane, f"/pusher/app/{key_of(shop)[0]}/7/abcdefgh/xhr?protocol=7")
        assert await late.started() == 503
        for client in (streaming, polling):
            await client.gone()
        await draining


async def test_a_response_lent_to_a_dead_gateway_ends(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = record(region)
    async with world(shop) as it:
        here, there = it.plane, it.node()
        client = await HttpClient(shop, here).connected()
        client.planes = (there,)
        lent = client.response
        client.open()
        await lent.task
        engine = await here.plane().engine(region)
        name = f"{shop.application_id}:{client.base.partition(client.key + '/')[2]}"
        engine.broker.unsubscribe(keys.fallback_session(name).encode())
        await engine.lines.call("PING")
        assert await client.response.started() == 200
        assert await client.sent(b"[]") == 404
        assert await client.response.line() == "", "the client comes back as from a lost connection"
        await client.response.task


async def test_a_lost_broker_connection_is_said_to_sessions(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, it.plane).connected()
        (await it.plane.plane().engine(region)).broker.rebuild()
        assert await client.closed() == 4200
        await client.gone()


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[7]", b'["' + b"x" * 70_000 + b'"]', b"\xff"])
async def test_a_bad_body_is_refused_and_the_session_lives(region: str, body: bytes) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await HttpClient(shop, it.plane).connected()
        assert await client.sent(body) == 400
        await client.nothing_more()
        await client.gone()


async def test_browsers_of_other_origins_may(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        answer = await it.call("OPTIONS", f"/pusher/app/{key_of(shop)[0]}/1/abcdefgh/xhr_streaming")
        assert answer.headers[b"access-control-allow-origin"] == b"*"
        assert int(answer.headers[b"access-control-max-age"]) > 3_600
        assert (await it.call("GET", f"/pusher/app/{key_of(shop)[0]}/1/abcdefgh/xhr")).status == 400


async def test_a_session_belongs_to_its_application(region: str) -> None:
    shop, rival = record(region), record(region, tenant_id=2)
    async with world(shop, rival) as it:
        client = await HttpClient(shop, it.plane).connected()
        target = client.base.replace(client.key, key_of(rival)[0])
        stranger = Response(it.plane, f"{target}/xhr_send", b'["{}"]')
        assert await stranger.started() == 404
        await stranger.task
        await client.nothing_more()
        await client.gone()


def test_lines_are_ascii_and_bodies_are_read_back() -> None:
    line = xhr.event('{"data":"é\u2028\U0001f600"}'.encode())
    assert line.isascii()
    assert json.loads(line[1:]) == ['{"data":"é\u2028\U0001f600"}']
    assert outlets.SILENCE > 2 * outlets.HEARTBEAT
