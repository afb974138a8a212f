"""Requests, their answers, and which requests may share connections. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Bytes of an answer that are read; networks need a few hundred.
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Reply:
    """headers: names in lower case; of a repeated one the last. body: at most MAX_BODY bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer. sent: the request may have arrived. reason: our own word for why."""

    sent: bool
    reason: str


Answer = Reply | Lost
#: The call was stopped, or its time was over, before this request's turn. It says nothing about the network.
NOT_BEGUN = Lost(False, "not_begun")


@dataclass(frozen=True, slots=True)
class Lane:
    """Which requests may share connections.

    owner: whose credential is in them; lanes of different owners share nothing. address: the checked address to connect
    to, for origins that others gave us; those may also speak HTTP/1.1, and of a body no more is read than we keep.
    negotiates: the network may also speak HTTP/1.1, then every stream is a connection.
    connections: HTTP/2 connections. streams: requests under way on each, to be below what the network advertises.
    timeout: seconds per request, more than connecting may take.
    unproven: when given, on a fresh connection one request goes alone until an answer below 500 comes that is none of
    these: APNs allows one stream until a credential is believed, and the library must learn that a foreign server
    speaks HTTP/2. fatal: statuses after which nothing more of the call is begun.
    proxy: the credential's own HTTP proxy (proxies.py); empty: the installation's, if there is one. proxy_address: the
    checked address to reach it at.
    """

    owner: str
    origin: str
    address: str = ""
    negotiates: bool = False
    connections: int = 1
    streams: int = 100
    timeout: float = 20.0
    unproven: frozenset[int] | None = None
    fatal: frozenset[int] = frozenset()
    proxy: str = field(default="", repr=False)
    proxy_address: str = ""
