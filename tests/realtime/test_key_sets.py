"""Key sets of identity providers: which keys are taken, how long they are believed, and where they are fetched from."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from apps.providers.counterparts.authority import Authority
from apps.realtime.tokens import keysets
from apps.realtime.tokens.claims import TokenRefused
from apps.realtime.tokens.keysets import KeySets, NoKeys, keys_in
from apps.realtime.tokens.reading import TokenReader
from tests.live import free_port
from tests.realtime.issuing import EC, RSA, Keys, key_set, signed
from tests.realtime.wire import record


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


# --- Over HTTPS


@dataclass
class Provider:
    """An identity provider's server on this machine. asked: the paths, in order."""

    origin: str
    document: bytes = field(default_factory=lambda: key_set(EC))
    status: int = 200
    location: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.origin}/keys"


def handler_of(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            self.send_response(provider.status)
            if provider.location:
                self.send_header("Location", provider.location)
            self.send_header("Content-Length", str(len(provider.document)))
            self.end_headers()
            self.wfile.write(provider.document)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("authority")))


@pytest.fixture
def provider(authority: Authority, settings: Any) -> Iterator[Provider]:
    """Trusted by the operator, since it is on an inner address, and by its certificate."""
    port = free_port()
    made = Provider(f"https://127.0.0.1:{port}")
    server = ThreadingHTTPServer(("127.0.0.1", port), handler_of(made))
    server.daemon_threads = True
    server.socket = authority.server_context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    settings.EGRESS_ALLOW, settings.EGRESS_CA = frozenset({made.origin}), str(authority.ca_file)
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


async def user_of(reader: TokenReader, provider: Provider, key: ECKey, key_id: str) -> str | None:
    shop = record("r", tokens=True, token_jwks_url=provider.url, token_audience="shop")
    claims = await reader.read(shop, signed({"alg": "ES256", "kid": key_id}, {"sub": "ada", "aud": "shop"}, key))
    return claims.user_id


async def test_keys_are_fetched_over_https_once_and_kept(provider: Provider) -> None:
    reader = TokenReader(KeySets())
    assert [await user_of(reader, provider, EC, "k0") for _ in range(3)] == ["ada"] * 3
    assert provider.asked == ["/keys"]


async def test_a_rotated_key_is_found_by_its_new_id_and_the_old_one_is_forgotten(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, newer = TokenReader(KeySets()), ECKey.generate_key("P-256")
    assert await user_of(reader, provider, EC, "k0") == "ada"
    provider.document = key_set(newer).replace(b'"k0"', b'"k9"')
    with pytest.raises(TokenRefused):  # within the pause
        await user_of(reader, provider, newer, "k9")
    monkeypatch.setattr(keysets, "AGAIN", 0.0)
    assert await user_of(reader, provider, newer, "k9") == "ada"
    with pytest.raises(TokenRefused):
        await user_of(reader, provider, EC, "k0")
    assert provider.asked == ["/keys"] * 3


async def test_what_is_too_large_or_no_key_set_is_not_believed(provider: Provider) -> None:
    good = provider.document
    padding = b" " * (keysets._MAX_BYTES - len(good))
    provider.document = good + padding
    assert await keysets.fetched(provider.url) == provider.document
    provider.document = good + padding + b" "
    with pytest.raises(NoKeys):
        await keysets.fetched(provider.url)
    provider.document, provider.status = good, 500
    with pytest.raises(NoKeys, match="status 500"):
        await keysets.fetched(provider.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_wherever_it_leads(provider: Provider, status: int) -> None:
    provider.status, provider.location = status, f"{provider.origin}/elsewhere"
    with pytest.raises(NoKeys, match=f"status {status}"):
        await keysets.fetched(provider.url)
    provider.location = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(NoKeys, match=f"status {status}"):
        await keysets.fetched(provider.url)
    assert provider.asked == ["/keys", "/keys"]


async def test_an_address_that_is_down_refuses_the_token_and_works_when_it_is_back(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    dead = Provider(f"https://127.0.0.1:{free_port()}")
    settings.EGRESS_ALLOW = frozenset({provider.origin, dead.origin})
    with pytest.raises(TokenRefused):
        await user_of(TokenReader(KeySets()), dead, EC, "k0")
    reader, provider.status = TokenReader(KeySets()), 503
    with pytest.raises(TokenRefused):
        await user_of(reader, provider, EC, "k0")
    monkeypatch.setattr(keysets, "AGAIN", 0.0)
    provider.status = 200
    assert await user_of(reader, provider, EC, "k0") == "ada"


async def test_a_certificate_of_nobody_we_know_is_refused(provider: Provider, settings: Any) -> None:
    assert await keysets.fetched(provider.url)
    settings.EGRESS_CA = ""
    with pytest.raises(NoKeys):
        await keysets.fetched(provider.url)
    assert provider.asked == ["/keys"]


async def test_the_same_server_is_refused_where_nobody_vouches_for_its_inner_address(
    provider: Provider, settings: Any
) -> None:
    settings.EGRESS_ALLOW = frozenset()
    with pytest.raises(NoKeys):
        await keysets.fetched(provider.url)
    assert provider.asked == []
