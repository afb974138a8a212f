"""The Lua scripts, by name. Each is one atomic step on Valkey; its head comment says keys, arguments and answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from redis import Redis

from apps.realtime.link import Command, CommandFailed, Lines

Argument = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    digest: str


@lru_cache(maxsize=32)
def script(name: str) -> Script:
    text = (Path(__file__).parent / "lua" / f"{name}.lua").read_text()
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def loads() -> tuple[Command, ...]:
    """The commands that put every script into a Valkey, for a fresh connection."""
    names = sorted(path.stem for path in (Path(__file__).parent / "lua").glob("*.lua"))
    return tuple(("SCRIPT", "LOAD", script(name).text) for name in names)


async def run(lines: Lines, name: str, keys: Sequence[str], *arguments: Argument) -> Any:
    """Runs a script on the data plane's link. Raises LinkLost, CommandFailed."""
    wanted = script(name)
    try:
        return await lines.call("EVALSHA", wanted.digest, len(keys), *keys, *arguments)
    except CommandFailed as error:
        if not str(error).startswith("NOSCRIPT"):
            raise
    return await lines.call("EVAL", wanted.text, len(keys), *keys, *arguments)


def run_sync(client: Redis, name: str, keys: Sequence[str], *arguments: Argument) -> Any:
    """The same with redis-py, for the control plane."""
    return client.register_script(script(name).text)(keys=list(keys), args=list(arguments))
