"""The documents' own vectors, and every way a request can fail to be authentic."""

from __future__ import annotations

import pytest

from apps.realtime.protocol.signing import (
    SignedRequest,
    channel_text,
    is_signed,
    query_pairs,
    request_text,
    sign,
    sign_in_text,
    why_not_signed,
)

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
SECRETS = {KEY: SECRET}
BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
NOW = 1353088179
QUERY = (
    f"auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f"
    "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
)


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            channel_text("1234.1234", "private-foobar", None),
            "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
        ),
        (
            channel_text("1234.1234", "presence-foobar", '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'),
            "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        ),
        (
            sign_in_text("1234.1234", '{"id":"12345"}'),
            "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
        ),
    ],
)  # fmt: skip
def test_a_client_signature_is_the_documented_one(text: str, signature: str) -> None:
    assert sign(SECRET, text) == signature
    assert is_signed(f"{KEY}:{signature}", text, SECRETS)


@pytest.mark.parametrize("auth", [None, 7, "", KEY, f"{KEY}:", f"{KEY}:00", "other:00", f"{KEY}:é", "\ud800:\ud800"])
def test_a_wrong_client_signature_is_none(auth: object) -> None:
    assert not is_signed(auth, "1234.1234:private-foobar", SECRETS)


def test_the_signature_names_the_secret_among_several() -> None:
    text = channel_text("1.1", "private-a", None)
    assert is_signed(f"new:{sign('n', text)}", text, {"old": "o", "new": "n"})
    assert not is_signed(f"old:{sign('n', text)}", text, {"old": "o", "new": "n"})


def test_a_documented_post_is_authentic() -> None:
    assert why_not_signed(SignedRequest("POST", "/apps/3/events", QUERY.encode(), BODY), SECRETS, NOW) is None


def test_a_get_sorts_its_parameters() -> None:
    query = f"info=user_count&auth_version=1.0&auth_timestamp={NOW}&filter_by_prefix=presence-&auth_key={KEY}".encode()
    request = SignedRequest("GET", "/apps/3/channels", query, b"")
    assert sign(SECRET, request_text(request, query_pairs(query))) == (
        "16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"query": QUERY.replace(KEY, "unknown")}, "auth_key"),
        ({"query": ""}, "auth_key"),
        ({"query": QUERY.replace("1.0", "2.0")}, "auth_version"),
        ({"query": QUERY.replace(str(NOW), "soon")}, "auth_timestamp"),
        ({"query": QUERY.replace("e6c", "e6d")}, "auth_signature"),
        ({"query": QUERY.partition("&auth_signature")[0]}, "auth_signature"),
        ({"path": "/apps/4/events"}, "auth_signature"),
        ({"method": "GET"}, "auth_signature"),
        ({"body": BODY.replace(b"foo", b"fop")}, "body_md5"),
    ],
)
def test_a_changed_request_is_not_authentic(change: dict[str, object], why: str) -> None:
    given = {"method": "POST", "path": "/apps/3/events", "query": QUERY, "body": BODY, **change}
    request = SignedRequest(given["method"], given["path"], str(given["query"]).encode(), given["body"])  # type: ignore[arg-type]
    assert (why_not_signed(request, SECRETS, NOW) or "").startswith(why)


@pytest.mark.parametrize("drift", [-601, 601])
def test_a_stale_timestamp_is_refused(drift: int) -> None:
    request = SignedRequest("POST", "/apps/3/events", QUERY.encode(), BODY)
    assert (why_not_signed(request, SECRETS, NOW + drift) or "").startswith("auth_timestamp")


@pytest.mark.parametrize("drift", [-600, 600])
def test_a_timestamp_inside_the_window_is_taken(drift: int) -> None:
    assert why_not_signed(SignedRequest("POST", "/apps/3/events", QUERY.encode(), BODY), SECRETS, NOW + drift) is None
