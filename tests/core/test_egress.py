"""Every spelling of an inner address is refused, and only public addresses are handed back."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from django.test import override_settings

from apps.core.egress import MAX_ADDRESSES, AddressRefused, is_public, read_url, resolve

INNER = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.31.196.1", "192.52.193.1",
    "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", INNER)
def test_an_address_that_is_not_public_is_told_apart(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_told_apart(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [address for address in INNER if "%" not in address])
def test_an_inner_address_in_a_url_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressRefused) as refused:
        read_url(f"https://{host}/push")
    assert refused.value.reason == "address"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "url"),
        ("https://", "url"),
        ("https:///path", "url"),
        ("//push.example.com/", "url"),
        ("ftp://push.example.com/", "url"),
        ("HTTPS://push.example.com/", "url"),
        ("https://push.example.com" + "/" * 1_000, "url"),
        ("https://good.example.com@127.0.0.1/", "url"),
        ("https://user:secret@push.example.com/", "url"),
        ("https://push.example.com\\@127.0.0.1/", "url"),
        ("https://push.example.com/a\\b", "url"),
        ("https://push.example.com/#@127.0.0.1", "url"),
        ("https://push.example.com/a b", "url"),
        ("https://push.example.com/\r\nHost: inner", "url"),
        ("https://push.exam\tple.com/", "url"),
        ("https://push.example.com/\u00e9", "url"),
        ("https://push.example.com:/", "url"),
        ("https://push.example.com:99999999/", "url"),
        ("https://[fe80::1%25eth0]/", "url"),
        ("https://[::1/", "url"),
        ("https://[12345::]/", "host"),
        ("https://push..example.com/", "host"),
        ("https://push.example.com./", "host"),
        ("https://-push.example.com/", "host"),
        ("https://%31%32%37.0.0.1/", "host"),
        ("https://" + "a" * 64 + ".com/", "host"),
        ("https://\uff11\uff12\uff17.0.0.1/", "host"),
        ("https://push\uff0eexample.com/", "host"),
        ("https://\u2460.example.com/", "host"),
        ("https://127.1/", "numeric_host"),
        ("https://2130706433/", "numeric_host"),
        ("https://0x7f000001/", "numeric_host"),
        ("https://0x7f.0.0.1/", "numeric_host"),
        ("https://017700000001/", "numeric_host"),
        ("https://0177.0.0.1/", "numeric_host"),
        ("https://127.0.0.01/", "numeric_host"),
        ("https://8.8.8.8.8/", "numeric_host"),
        ("https://8.8.8.0x8/", "numeric_host"),
        ("http://push.example.com/", "scheme"),
        ("https://push.example.com:0/", "port"),
        ("https://push.example.com:22/", "port"),
        ("https://push.example.com:5432/", "port"),
        ("https://localhost/", "inner_name"),
        ("https://push.localhost/", "inner_name"),
        ("https://metadata.google.internal/", "inner_name"),
        ("https://printer.local/", "inner_name"),
        ("https://postgres/", "inner_name"),
    ],
)
def test_a_url_that_could_mean_another_place_is_refused(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        read_url(url)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://push.example.com/a?b=c", "https://push.example.com", "push.example.com"),
        ("https://PUSH.Example.com:443/", "https://push.example.com", "push.example.com"),
        ("https://push.example.com:8443/x", "https://push.example.com:8443", "push.example.com"),
        ("https://m\u00fcnchen.example.com/", "https://xn--mnchen-3ya.example.com", "xn--mnchen-3ya.example.com"),
        ("https://8.8.8.8/", "https://8.8.8.8", "8.8.8.8"),
        ("https://[2606:4700:4700:0::1111]/", "https://[2606:4700:4700::1111]", "2606:4700:4700::1111"),
    ],
)
def test_a_public_url_is_read(url: str, origin: str, host: str) -> None:
    place = read_url(url)
    assert (place.origin, place.host, place.trusted) == (origin, host, False)
    assert place.url.startswith(f"{origin}/")


def _answers(*addresses: str) -> Any:
    return lambda host, port, type: [(socket.AF_INET, type, 6, "", (address, port)) for address in addresses]


def test_a_name_is_resolved_to_the_address_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _answers("1.1.1.1", "8.8.8.8"))
    assert resolve(read_url("https://push.example.com/")) == "1.1.1.1"


@pytest.mark.parametrize("bad", INNER)
def test_a_name_with_one_good_and_one_bad_address_is_refused(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _answers("1.1.1.1", bad))
    with pytest.raises(AddressRefused) as refused:
        resolve(read_url("https://push.example.com/"))
    assert refused.value.reason == "address"


def test_a_name_with_no_address_or_far_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    place = read_url("https://push.example.com/")
    for answers in (_answers(), _answers(*(f"1.1.1.{last}" for last in range(MAX_ADDRESSES + 1)))):
        monkeypatch.setattr(socket, "getaddrinfo", answers)
        with pytest.raises(AddressRefused) as refused:
            resolve(place)
        assert refused.value.reason == "unresolved"


@override_settings(EGRESS_ALLOW=frozenset({"http://127.0.0.1:8125"}))
def test_the_operator_may_list_one_origin_and_opens_nothing_beside_it() -> None:
    place = read_url("http://127.0.0.1:8125/push")
    assert (place.trusted, resolve(place)) == (True, "127.0.0.1")
    for neighbour in ("http://127.0.0.1:8126/", "https://127.0.0.1:8125/", "http://127.0.0.2:8125/"):
        with pytest.raises(AddressRefused):
            read_url(neighbour)
