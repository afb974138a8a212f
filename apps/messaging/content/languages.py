"""Which language somebody gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def fallbacks(tag: str) -> Iterator[str]:
    """`zh-Hant-HK` -> `zh-hant-hk`, `zh-hant`, `zh`."""
    parts = tag.strip().lower().replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])


def choose_language(wanted: str, default: str, offered: Iterable[str]) -> str:
    """The offered tag for a person: the person's own chain, then the default's, then English, then the first offered.

    offered: non-empty, as written by the author; what is returned is one of them.
    """
    return way_to_language(wanted, default, offered)[-1]


def way_to_language(wanted: str, default: str, offered: Iterable[str]) -> tuple[str, ...]:
    """What is tried on the way, without repeats; the last is what the person gets, as the author wrote it."""
    by_folded = {tag.lower(): tag for tag in offered}
    tried: dict[str, None] = {}
    for tag in (*(fallbacks(wanted) if wanted.strip() else ()), *fallbacks(default), "en"):
        if tag in by_folded:
            return (*tried, by_folded[tag])
        tried[tag] = None
    return (*tried, next(iter(by_folded.values())))
