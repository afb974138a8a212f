"""Header fields on the wire without a dynamic table in either direction (RFC 7541). Pure.

What we send is literal and plain, so that a request's fields are its own bytes joined. What comes does not depend on
what came before, since we announce a table of size 0: an answer's fields are read when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from hpack import Decoder
from hpack.exceptions import HPACKError as HPACKError

from apps.providers.exchanges import Request

#: Bytes of an answer's fields, before and after decompression.
MAX_BLOCK = 65_536
#: Says that we index nothing, whatever table the peer offers. Leads the first block of a connection.
NO_TABLE = b"\x20"

_SCHEME_HTTPS = "\x87"
_METHODS = {"GET": "\x82", "POST": "\x83"}
_METHOD, _AUTHORITY, _PATH = "\x02", "\x01", "\x04"
_PLAIN, _NEVER_INDEXED = "\x00", "\x10"
#: Fields that no proxy on the way may put into its table either (RFC 7541 section 7.1.3).
_SECRET = frozenset({"authorization"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "user-agent"})
_SHORT = 127


class RequestWriter:
    """Turns the requests to one origin into header blocks. Most fields are those of the request before."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._rest = _SCHEME_HTTPS + _AUTHORITY + _string(origin.partition("://")[2]) + _PATH
        self._before: dict[str, tuple[str, str]] = {}

    def block(self, request: Request) -> bytes:
        """Raises ValueError for what cannot be written: another origin, names or values that are not ASCII text."""
        url = request.url
        if not url.startswith(self._origin):
            raise ValueError("origin")
        path = _text(url[len(self._origin) :] or "/")
        if path[0] != "/" or " " in path or "#" in path:
            raise ValueError("path")
        method = _METHODS.get(request.method) or _METHOD + _string(_text(request.method))
        parts = [method, self._rest, _string(path), _USER_AGENT]
        for name, value in request.headers.items():
            before = self._before.get(name)
            if before is None or before[0] != value:
                before = self._before[name] = (value, _start_of(name) + _string(_text(value)))
            parts.append(before[1])
        if request.body:
            parts.append(_content_length(len(request.body)))
        return "".join(parts).encode("latin-1")


class AnswerFields(Mapping[str, str]):
    """Names in lower case; of a repeated one the last. Decompressed when the first is asked for.

    That is late, so what cannot be decompressed is read as no fields: the status was known without them.
    """

    __slots__ = ("_block", "_fields")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._fields: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._fields is None:
            try:
                self._fields = fields_of(self._block)
                self._fields.pop(":status", None)
            except HPACKError:
                self._fields = {}
        return self._fields

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def status_of(block: bytes) -> tuple[int, Mapping[str, str]]:
    """Of an answer's block: the status (0: it has none that is a number of three digits) and the fields.

    Raises HPACKError. 200 is told by its first byte.
    """
    if block[:1] == b"\x88" or block[:2] == b"\x20\x88":
        return 200, AnswerFields(block)
    fields = fields_of(block)
    status = fields.pop(":status", "")
    return (int(status) if len(status) == 3 and status.isascii() and status.isdecimal() else 0), fields


def fields_of(block: bytes) -> dict[str, str]:
    """Raises HPACKError, also for what refers to a table that we do not keep."""
    decoder = Decoder(max_header_list_size=MAX_BLOCK)
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in decoder.decode(block, raw=True)}


@lru_cache(maxsize=256)
def _start_of(name: str) -> str:
    """Name of a field, as it stands before the length of its value."""
    lower = name.lower()
    if not (name.isascii() and name.replace("-", "").isalnum()) or lower in _OURS:
        raise ValueError("name")
    return (_NEVER_INDEXED if lower in _SECRET else _PLAIN) + _string(lower)


@lru_cache(maxsize=1_024)
def _content_length(size: int) -> str:
    return _field("content-length", str(size))


def _text(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or value[:1] == " " or value[-1:] == " ":
        raise ValueError("text")
    return value


def _field(name: str, value: str) -> str:
    return _PLAIN + _string(name) + _string(value)


def _string(text: str) -> str:
    size = len(text)
    return (chr(size) if size < _SHORT else _length(size)) + text


@lru_cache(maxsize=1_024)
def _length(number: int) -> str:
    """A long one, with a prefix of seven bits, whose eighth says that the text is not Huffman's (section 5.1)."""
    written, rest = [chr(_SHORT)], number - _SHORT
    while rest >= 0x80:
        written.append(chr(rest & 0x7F | 0x80))
        rest >>= 7
    return "".join([*written, chr(rest)])


_USER_AGENT = _field("user-agent", "pushsaas")
