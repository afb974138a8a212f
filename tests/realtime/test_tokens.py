"""What a token says, and every one that says nothing. Each refusal stands beside what is let in."""

from __future__ import annotations

import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from apps.core.encoding import to_base64url
from apps.realtime.tokens.claims import Claims, TokenRefused
from apps.realtime.tokens.keysets import KeySets
from apps.realtime.tokens.reading import TokenReader
from apps.tenants.queries import ApplicationRecord
from tests.realtime.issuing import EC, RSA, Keys, pem, signed, token
from tests.realtime.wire import key_of, record


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


def test_claims_of_a_channel_token_never_cover_a_users_own_channel() -> None:
    claims = Claims(None, None, 0, ("*",), frozenset({"subscribe"}))
    assert claims.covers("private-a")
    assert not claims.covers("#server-to-user-bo")
