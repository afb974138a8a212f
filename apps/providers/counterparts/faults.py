"""What a counterpart can be told to do wrong, and to which request, counted from 1 over all connections."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refuse:
    """RST_STREAM(REFUSED_STREAM) before the request is looked at."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RST_STREAM(INTERNAL_ERROR) after the request was taken."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """GOAWAY naming this stream as the last: it and those before are answered, those after it are not looked at."""

    reason: str = "Shutdown"


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends without a word after the request was taken."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The request is taken and never answered."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer takes so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Say:
    """This answer, and the request is not taken."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Fault = Refuse | Reset | GoAway | Cut | Stall | Slow | Say
