"""The VAPID header as RFC 8292 describes it, verified by another library."""

from __future__ import annotations

import json
import re

import pytest
from jwcrypto import jwk, jws

from apps.core.encoding import from_base64url, to_base64url
from apps.providers.webpush.vapid import (
    LIFETIME,
    PERIOD,
    authorization,
    new_private_key,
    public_key_of,
    read_private_key,
)

ORIGIN, SUBJECT = "https://push.example.net", "mailto:push@example.com"
NOW = 1_453_523_768 - 1_453_523_768 % PERIOD

# RFC 8292, section 2.4: a public key, and a token that verifies with it.
RFC_KEY = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
RFC_TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im"
    "1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHz"
    "voD1oA"
)


def _verified(token: str, public_key: str) -> dict[str, object]:
    point = from_base64url(public_key)
    key = jwk.JWK(kty="EC", crv="P-256", x=to_base64url(point[1:33]), y=to_base64url(point[33:]))
    signed = jws.JWS()
    signed.deserialize(token, key)
    claims: dict[str, object] = json.loads(signed.payload)
    return claims


def test_the_token_of_rfc_8292_and_ours_verify_in_the_same_way() -> None:
    expected = {"aud": ORIGIN, "exp": 1_453_523_768, "sub": SUBJECT}
    assert _verified(RFC_TOKEN, RFC_KEY) == expected
    private = new_private_key()
    header = authorization(private, origin=ORIGIN, subject=SUBJECT, now=NOW)
    match = re.fullmatch(r"vapid t=([^,]+), k=([0-9A-Za-z_-]+)", header)
    assert match is not None
    assert match[2] == public_key_of(private)
    assert _verified(match[1], match[2]) == {**expected, "exp": NOW + LIFETIME}


def test_the_token_is_of_another_key_when_one_byte_differs() -> None:
    header = authorization(new_private_key(), origin=ORIGIN, subject=SUBJECT, now=NOW)
    with pytest.raises(jws.InvalidJWSSignature):
        _verified(header.partition("t=")[2].partition(",")[0], RFC_KEY)


def test_one_token_serves_one_origin_for_a_period() -> None:
    private = new_private_key()

    def made(origin: str, now: int) -> str:
        return authorization(private, origin=origin, subject=SUBJECT, now=now)

    first = made(ORIGIN, NOW)
    assert made(ORIGIN, NOW + PERIOD - 1) == first
    assert made(ORIGIN, NOW + PERIOD) != first
    assert made("https://other.example.net", NOW) != first


def test_a_token_never_outlives_what_services_allow() -> None:
    assert LIFETIME <= 24 * 3600
    assert LIFETIME - PERIOD > 3600  # still good when it is used for the last time


def test_a_key_pair_survives_being_written_down() -> None:
    private = new_private_key()
    assert len(from_base64url(private)) == 32
    assert len(from_base64url(public_key_of(private))) == 65
    assert read_private_key(private) is read_private_key(private)


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 43, to_base64url(bytes(32)), to_base64url(b"\xff" * 32)])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_private_key(text)
