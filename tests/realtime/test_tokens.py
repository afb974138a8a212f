"""Tokens: who gets in with which, what they allow, and how they end. Every refusal stands beside what is let in."""

from __future__ import annotations

import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from apps.core.encoding import to_base64url
from apps.realtime.tokens import grants, keysets
from apps.realtime.tokens.claims import Claims, TokenRefused
from apps.realtime.tokens.keysets import KeySets, NoKeys, keys_in
from apps.realtime.tokens.reading import TokenReader
from apps.tenants.queries import ApplicationRecord
from tests.realtime.wire import Client, key_of, record, world
from tests.realtime.xhr import HttpClient

EC, RSA = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)


def token(shop: ApplicationRecord, lifetime: float = 60, **claims: Any) -> str:
    """Signed by the application's server."""
    key, secret = key_of(shop)
    return jwt.encode(
        {"alg": "HS256", "kid": key}, {"exp": time.time() + lifetime, **claims}, OctKey.import_key(secret)
    )


def signed(header: dict[str, str], claims: dict[str, Any], key: RSAKey | ECKey | OctKey) -> str:
    return jwt.encode(header, {"exp": time.time() + 60, **claims}, key)


def key_set(*keys: RSAKey | ECKey) -> bytes:
    listed = [{**key.as_dict(private=False), "kid": f"k{at}"} for at, key in enumerate(keys)]
    return json.dumps({"keys": listed}).encode()


class Keys:
    """An identity provider's address. asked: how often it was."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys, self.asked = keys, 0

    async def __call__(self, url: str) -> bytes:
        self.asked += 1
        if not self.keys:
            raise NoKeys("down")
        return key_set(*self.keys)


def pem(key: RSAKey | ECKey) -> str:
    return key.as_pem(private=False).decode()


# --- Reading


async def test_each_algorithm_is_verified_with_its_own_kind_of_key() -> None:
    shop = record("r", tokens=True, token_public_key=pem(RSA), token_jwks_url="https://id.example/keys")
    reader, aud = TokenReader(KeySets(Keys(EC))), shop.application_id
    assert (await reader.read(shop, token(shop, sub="ada"))).user_id == "ada"
    assert (await reader.read(shop, signed({"alg": "RS256"}, {"sub": "ada", "aud": aud}, RSA))).user_id == "ada"
    by_set = signed({"alg": "ES256", "kid": "k0"}, {"sub": "ada", "aud": [aud]}, EC)
    assert (await reader.read(shop, by_set)).user_id == "ada"


def forged(shop: ApplicationRecord) -> list[tuple[str, str]]:
    """What an attacker who knows the public keys and the application's key would try."""
    claims, key = {"sub": "ada", "exp": time.time() + 60, "aud": shop.application_id}, key_of(shop)[0]
    body = to_base64url(json.dumps(claims).encode())
    none = to_base64url(b'{"alg":"none"}')
    stranger = OctKey.import_key("another secret of 30 bytes")
    return [
        ("none", f"{none}.{body}."),
        ("none with a signature", f"{none}.{body}.AAAA"),
        ("public key as a secret", with_public_key({"alg": "HS256"}, claims)),
        ("public key as a secret, by kid", with_public_key({"alg": "HS256", "kid": key}, claims)),
        ("another's key", signed({"alg": "RS256"}, claims, RSAKey.generate_key(2048))),
        ("another's secret", signed({"alg": "HS256", "kid": key}, claims, stranger)),
        ("HS512", signed_512(claims, key_of(shop)[1])),
        ("unknown kid", signed({"alg": "HS256", "kid": "other"}, claims, OctKey.import_key(key_of(shop)[1]))),
    ]  # fmt: skip


def with_public_key(header: dict[str, str], claims: dict[str, Any]) -> str:
    """An HMAC keyed with what everybody knows; no library would make it."""
    text = ".".join(to_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{to_base64url(hmac.digest(pem(RSA).encode(), text.encode(), 'sha256'))}"


def signed_512(claims: dict[str, Any], secret: str) -> str:
    return jwt.encode({"alg": "HS512"}, claims, OctKey.import_key(secret), algorithms=["HS512"])


async def test_confused_algorithms_and_foreign_keys_are_refused() -> None:
    shop = record("r", tokens=True, token_public_key=pem(RSA))
    reader = TokenReader(KeySets(Keys()))
    assert await reader.read(shop, token(shop, sub="ada"))
    for name, text in forged(shop):
        with pytest.raises(TokenRefused):
            pytest.fail(f"{name}: {await reader.read(shop, text)}")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": float("inf")}, {"exp": 1}, {"exp": 10**10},
        {"nbf": 10**10}, {"iat": 10**10}, {"sub": None}, {"sub": 7}, {"sub": "a b"}, {"aud": "another"},
        {"channels": []}, {"channels": ["a b"]}, {"channels": ["#server-to-user-bo"]}, {"channels": ["a*b"]},
        {"can": ["everything"]}, {"can": "publish"}, {"channel": "a" * 200},
    ],
)  # fmt: skip
async def test_bad_claims_are_refused(claims: dict[str, Any]) -> None:
    shop = record("r", tokens=True)
    reader = TokenReader(KeySets(Keys()))
    assert await reader.read(shop, token(shop, sub="ada"))
    with pytest.raises(TokenRefused):
        await reader.read(shop, token(shop, **{"sub": "ada", **claims}))


async def test_issuer_and_audience_are_demanded_where_they_are_set() -> None:
    shop = record("r", tokens=True, token_issuer="https://id.example", token_audience="shop")
    reader = TokenReader(KeySets(Keys()))
    good = {"sub": "ada", "iss": "https://id.example", "aud": ["other", "shop"]}
    assert await reader.read(shop, token(shop, **good))
    for wrong in ({"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": [7]}):
        with pytest.raises(TokenRefused):
            await reader.read(shop, token(shop, **{**good, **wrong}))


async def test_a_key_set_that_signs_for_others_too_needs_an_audience() -> None:
    shop = record("r", tokens=True, token_jwks_url="https://id.example/keys")
    reader, header = TokenReader(KeySets(Keys(EC))), {"alg": "ES256", "kid": "k0"}
    assert await reader.read(shop, signed(header, {"sub": "ada", "aud": shop.application_id}, EC))
    with pytest.raises(TokenRefused):
        await reader.read(shop, signed(header, {"sub": "ada"}, EC))


async def test_nothing_is_read_while_tokens_are_switched_off() -> None:
    shop = record("r")
    with pytest.raises(TokenRefused, match="switched off"):
        await TokenReader(KeySets(Keys())).read(shop, token(shop, sub="ada"))


_SHOP = record("r", tokens=True, token_public_key=pem(EC))
_GENUINE = [token(_SHOP, 3_600, sub="ada"), signed({"alg": "ES256"}, {"sub": "ada", "exp": time.time() + 3_600}, EC)]


@given(
    text=st.sampled_from(_GENUINE), at=st.integers(0, 10_000),
    put=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
async def test_no_changed_token_says_anything_else(text: str, at: int, put: str) -> None:
    place = at % len(text)
    changed = text[:place] + put + text[place + 1 :]
    reader = TokenReader(KeySets(Keys()))
    expected = await reader.read(_SHOP, text)
    assert expected.user_id == "ada"
    try:
        assert await reader.read(_SHOP, changed) == expected  # the last character has spare bits
    except TokenRefused:
        return
    assert changed.rpartition(".")[0] == text.rpartition(".")[0]


@given(junk=st.one_of(st.text(max_size=300), st.none(), st.integers(), st.text(max_size=90).map(lambda t: f"{t}..")))
@settings(max_examples=50, deadline=None)
async def test_junk_is_refused_not_raised(junk: Any) -> None:
    with pytest.raises(TokenRefused):
        await TokenReader(KeySets(Keys())).read(_SHOP, junk)


# --- Key sets


async def test_unknown_key_ids_ask_the_address_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Keys(EC)
    sets = KeySets(address)
    assert await sets.key("https://id.example/keys", "k0") is not None
    for number in range(20):
        assert await sets.key("https://id.example/keys", f"forged-{number}") is None
    assert address.asked == 1
    monkeypatch.setattr(keysets, "AGAIN", 0.0)
    address.keys = (EC, RSA)  # rotated
    assert await sets.key("https://id.example/keys", "k1") is not None
    assert address.asked == 2


async def test_keys_outlive_an_address_that_is_down_and_are_believed_no_longer_than_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = Keys(EC)
    sets = KeySets(address)
    assert await sets.key("https://id.example/keys", "k0") is not None
    address.keys = ()
    monkeypatch.setattr(keysets, "AGAIN", 0.0)
    monkeypatch.setattr(keysets, "FRESH", -1.0)
    assert await sets.key("https://id.example/keys", "k0") is not None
    monkeypatch.setattr(keysets, "STALE", -1.0)
    assert await sets.key("https://id.example/keys", "k0") is None


def test_only_public_keys_for_our_algorithms_are_taken() -> None:
    bad = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}, {**EC.as_dict(private=True), "kid": "private"},
        {**RSA.as_dict(private=False), "use": "enc", "kid": "enc"}, {"kty": "EC", "crv": "P-256", "kid": "half"},
        {**ECKey.generate_key("P-384").as_dict(private=False), "kid": "curve"}, 7, {**EC.as_dict(private=False)},
        {**RSA.as_dict(private=False), "n": "AQAB" * 40, "kid": "short"},
        {**EC.as_dict(private=False), "kid": "good"},
    ]  # fmt: skip
    assert list(keys_in(json.dumps({"keys": bad}).encode())) == ["good"]


@pytest.mark.parametrize("document", [b"", b"[]", b"7", b'{"keys": 7}', b'{"keys"', b"\xff"])
def test_what_is_no_key_set_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(NoKeys):
        keys_in(document)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/keys", "https://localhost/keys", "https://10.0.0.1/keys", "file:///x"]
)
async def test_inner_addresses_are_never_called(url: str) -> None:
    with pytest.raises(NoKeys):
        await keysets.fetched(url)


# --- On connections


@pytest.mark.usefixtures("clean_valkey")
async def test_a_connection_token_signs_in_and_a_channel_token_does_not(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:signin", {"token": token(shop, sub="ada", channels=["private-a"])})
        refused = await client.event()
        assert (refused["event"], refused["data"]["code"]) == ("pusher:error", 4009)
        client.send("pusher:signin", {"token": token(shop, sub="ada", info={"name": "Ada"})})
        done = json.loads((await client.event())["data"])
        assert json.loads(done["user_data"]) == {"id": "ada", "user_info": {"name": "Ada"}}
        client.send("pusher:subscribe", {"channel": "#server-to-user-ada"})
        assert (await client.event())["event"] == "pusher_internal:subscription_succeeded"
        await it.published(shop, "#server-to-user-ada")
        assert (await client.event())["event"] == "e"
        await client.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_a_token_in_the_query_signs_in_and_a_bad_one_closes(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        path = f"/app/{key_of(shop)[0]}?protocol=7&token="
        client = await Client(it.plane, shop, path + token(shop, sub="ada")).connected()
        assert (await client.event())["event"] == "pusher:signin_success"
        await client.gone()
        late = await Client(it.plane, shop, path + token(shop, -60, sub="ada")).connected()
        assert await late.closed() == 4009
        await late.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_a_channel_token_opens_what_it_covers_and_nothing_else(region: str) -> None:
    shop, rival = record(region, tokens=True), record(region, tokens=True)
    async with world(shop, rival) as it:
        client = await it.client(shop)
        text = token(shop, channels=["private-orders-*", "presence-room"], can=["subscribe"])
        assert await answer(client, "private-orders-7", text) == "ok"
        assert await answer(client, "private-other", text) == 403
        assert await answer(client, "presence-room", text) == 403  # it may not see who is there
        assert await answer(client, "private-orders-7x", token(rival, channels=["*"])) == 401
        assert await answer(client, "private-orders-8", token(shop, sub="ada")) == 403
        await it.published(shop, "private-orders-7")
        assert (await client.event())["event"] == "e"
        await client.gone()


async def answer(client: Client, channel: str, text: str, **more: Any) -> Any:
    """`ok`, or the status of the refusal."""
    client.send("pusher:subscribe", {"channel": channel, "token": text, **more})
    event = await client.event()
    assert event["channel"] == channel
    return "ok" if event["event"] == "pusher_internal:subscription_succeeded" else event["data"]["status"]


@pytest.mark.usefixtures("clean_valkey")
async def test_capabilities_decide_about_client_events_and_presence(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client, peer = await it.client(shop), await it.client(shop)
        await peer.subscribed("presence-room", "bo")
        all_of_it = token(shop, channel="presence-room", sub="ada", info={"n": 1}, can=["subscribe", "presence"])
        assert await answer(client, "presence-room", all_of_it, channel_data="{}") == 400
        client.send("pusher:subscribe", {"channel": "presence-room", "token": all_of_it})
        roster = json.loads((await client.event())["data"])["presence"]
        assert roster["hash"] == {"ada": {"n": 1}, "bo": None}
        assert json.loads((await peer.event())["data"])["user_id"] == "ada"
        client.send("client-wave", {}, channel="presence-room")
        assert (await client.event())["data"]["code"] == 4312
        await peer.nothing_more()
        louder = token(shop, channel="presence-room", sub="ada", can=["subscribe", "presence", "publish"])
        client.send("pusher:refresh_token", {"token": louder})
        assert (await client.event())["event"] == "pusher:token_refreshed"
        client.send("client-wave", {}, channel="presence-room")
        assert (await peer.event())["event"] == "client-wave"
        await client.gone()
        await peer.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_a_client_is_warned_refreshes_and_is_closed_when_it_does_not(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        [connection] = it.plane.plane().connections()
        client.send("pusher:signin", {"token": token(shop, 20, sub="ada")})
        assert (await client.event())["event"] == "pusher:signin_success"
        assert await answer(client, "private-a", token(shop, 25, channel="private-a")) == "ok"
        grants.check(connection)
        grants.check(connection)  # warned once only
        warnings = [await client.event(), await client.event()]
        assert [(each["event"], each.get("channel")) for each in warnings] == [
            ("pusher:token_expiring", None), ("pusher:token_expiring", "private-a"),
        ]  # fmt: skip
        client.send("pusher:refresh_token", {"token": token(shop, 600, sub="bo")})
        assert (await client.event())["data"]["code"] == 4313
        client.send("pusher:refresh_token", {"token": token(shop, 600, sub="ada")})
        assert (await client.event())["event"] == "pusher:token_refreshed"
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 60)
        grants.check(connection)
        lapsed = await client.event()
        assert (lapsed["event"], lapsed["channel"], lapsed["data"]["status"]) == (
            "pusher:subscription_error", "private-a", 401,
        )  # fmt: skip
        await client.nothing_more()
        await it.published(shop, "private-a")
        await client.nothing_more()
        monkeypatch.setattr(time, "time", lambda: real() + 590)
        grants.check(connection)
        assert (await client.event())["event"] == "pusher:token_expiring"
        monkeypatch.setattr(time, "time", lambda: real() + 620)
        grants.check(connection)
        assert await client.closed() == 4110
        await client.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_a_later_signature_outlives_the_token_before_it(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        assert await answer(client, "private-a", token(shop, 20, channel="private-a")) == "ok"
        await client.subscribed("private-a")
        [connection] = it.plane.plane().connections()
        assert connection.grants is not None
        assert not connection.grants.channels
        await client.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_the_http_fallback_takes_a_token_in_its_query(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        text = token(shop, sub="ada")
        client = await HttpClient(shop, it.plane, query=f"protocol=7&token={text}").connected()
        assert (await client.event())["event"] == "pusher:signin_success"
        await client.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_who_listens_by_http_may_bring_a_token(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        path = f"/apps/{shop.application_id}/poll?timeout=0&channels=private-a,news"
        good = await it.call("GET", f"{path}&token={token(shop, channel='private-a')}")
        assert good.status == 200
        for text in (token(shop, channel="private-b"), token(shop, sub="ada"), "x.y.z", token(shop, -60, channel="*")):
            assert (await it.call("GET", f"{path}&token={text}")).status == 401


def test_claims_of_a_channel_token_never_cover_a_users_own_channel() -> None:
    claims = Claims(None, None, 0, ("*",), frozenset({"subscribe"}))
    assert claims.covers("private-a")
    assert not claims.covers("#server-to-user-bo")
