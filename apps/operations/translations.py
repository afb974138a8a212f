"""gettext without system gettext: Babel collects texts from Python and templates, and compiles the catalogues."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def catalogues() -> list[Path]:
    """Every .po of the project."""
    return [path for root in settings.LOCALE_PATHS for path in sorted(Path(root).glob("*/LC_MESSAGES/*.po"))]


def compile_stale() -> list[Path]:
    """Writes the .mo beside every .po that changed since. Returns the .po files compiled."""
    compiled = []
    for source in catalogues():
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        compile_catalogue(source, target)
        compiled.append(source)
    return compiled


def compile_catalogue(source: Path, target: Path) -> None:
    """.po to .mo; a reader of the target sees the old one or the new one, also when two roles compile at once."""
    draft = target.with_suffix(f".{os.getpid()}.mo")
    with source.open("rb") as file, draft.open("wb") as output:
        write_mo(output, read_po(file))
    draft.replace(target)


def collect() -> Catalog:
    """All texts marked for translation in `apps`, `pushsaas` and `templates`, with where they stand (file only)."""
    catalogue = Catalog(charset="utf-8")
    root = Path(settings.BASE_DIR)
    for folder, pattern in (("apps", "*.py"), ("pushsaas", "*.py"), ("templates", "*.html"), ("templates", "*.txt")):
        for path in sorted((root / folder).rglob(pattern)):
            name = path.relative_to(root).as_posix()
            for message, comments, context in _texts(path):
                catalogue.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalogue


def _texts(path: Path) -> Iterator[tuple[str | tuple[str, ...], list[str], str | None]]:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # Its result reads like Python but for the template's own indentation, which a tokenizer takes seriously.
        source = "\n".join(line.lstrip() for line in templatize(source, origin=path.name).split("\n"))
    for _line, message, comments, context in extract(
        "python", io.BytesIO(source.encode()), keywords=_KEYWORDS, comment_tags=("Translators:",)
    ):
        yield message, comments, context


def update(path: Path) -> Catalog:
    """Brings one .po up to date with the sources: new texts come empty, unused ones go. Returns what it wrote."""
    with path.open("rb") as file:
        catalogue = read_po(file)
    catalogue.update(collect(), no_fuzzy_matching=True, update_header_comment=False, update_creation_date=False)
    catalogue.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return catalogue


def untranslated(catalogue: Catalog) -> list[Message]:
    """Messages that lack a translation, or one of its plural forms."""
    return [message for message in catalogue if message.id and not all(_forms(message))]


def _forms(message: Message) -> list[str]:
    string = message.string or ""
    return [string] if isinstance(string, str) else list(string)
