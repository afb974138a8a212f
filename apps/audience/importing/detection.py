"""What an uploaded file is: CSV or NDJSON, its encoding, its delimiter, and a clear refusal of anything else. Pure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.utils.translation import gettext_lazy as _

DELIMITERS = (",", ";", "\t")
_CHUNK = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SPREADSHEET = b"PK\x03\x04"

REFUSALS: dict[str, Any] = {
    "empty": _("The file is empty."),
    "spreadsheet": _("This is a spreadsheet. Save it as CSV (UTF-8) and upload that file."),
    "utf16": _("The file is in UTF-16. Save it as CSV (UTF-8) and upload that file."),
    "binary": _("This is not a text file."),
    "encoding": _("The file is neither UTF-8 nor GB18030. Save it as CSV (UTF-8) and upload that file."),
    "old_mac": _("The lines end in the old Mac way. Save the file as CSV (UTF-8) and upload that file."),
    "no_header": _("The first line must name the columns."),
    "json_array": _("This is one JSON value. Put one object on each line (NDJSON) and upload that file."),
    "json_encoding": _("A JSON file must be in UTF-8."),
    "too_many_columns": _("The file has more than 200 columns."),
    "too_large": _("The file is larger than 200 MB. Split it into several files."),
}


class FileRefused(Exception):
    """code: a key of REFUSALS."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)

    @property
    def message(self) -> Any:
        return REFUSALS[self.code]


@dataclass(frozen=True, slots=True)
class Detected:
    """format: `csv` or `ndjson`. encoding: a codec's name. start: bytes to skip (a byte order mark)."""

    format: str
    encoding: str
    start: int


def detect(file: BinaryIO) -> Detected:
    """Reads the whole file, a megabyte at a time. Raises FileRefused."""
    file.seek(0)
    head = file.read(64 * 1024)
    _refuse_other_kinds(head)
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    format_ = _format_of(head[start:])
    valid, saw_beyond_ascii = _decodes(file, "utf-8", start)
    # A file that was UTF-8 until some line is a damaged UTF-8 file: only those lines are bad, and GB18030, which gives
    # a meaning to nearly everything, would spoil the rest.
    if valid or start or saw_beyond_ascii:
        return Detected(format_, "utf-8", start)
    if format_ == "ndjson":
        raise FileRefused("json_encoding")
    if _decodes(file, "gb18030", 0)[0]:
        return Detected(format_, "gb18030", 0)
    raise FileRefused("encoding")


def _refuse_other_kinds(head: bytes) -> None:
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise FileRefused("empty")
    if head.startswith(_SPREADSHEET):
        raise FileRefused("spreadsheet")
    if head.startswith(_UTF16):
        raise FileRefused("utf16")
    if head.count(b"\0") > max(1, len(head) // 50):  # a stray NUL spoils its row only
        raise FileRefused("binary")
    if b"\n" not in head and b"\r" in head:
        raise FileRefused("old_mac")


def _format_of(head: bytes) -> str:
    """A CSV's header begins with neither brace nor bracket, unless it is quoted."""
    text = head.lstrip()
    if text.startswith(b"["):
        raise FileRefused("json_array")
    if not text.startswith(b"{"):
        return "csv"
    first = text.split(b"\n", 1)[0].rstrip()
    # Pretty printing spreads one object over many lines; only a first line cut off by the sample has no end.
    if not first.endswith(b"}") and b"\n" in text:
        raise FileRefused("json_array")
    return "ndjson"


def _decodes(file: BinaryIO, encoding: str, start: int) -> tuple[bool, bool]:
    """Whether all of it is valid, and whether valid text beyond ASCII came before the first fault."""
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(start)
    beyond_ascii = False
    while True:
        chunk = file.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # error.object is what the decoder held back plus this chunk; all before error.start was valid.
            return False, beyond_ascii or not error.object[: error.start].isascii()
        beyond_ascii = beyond_ascii or not text.isascii()
        if not chunk:
            return True, beyond_ascii


def detect_delimiter(header: str) -> str:
    """The delimiter that splits the first line most often, quoted parts aside."""
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=bare.count)
