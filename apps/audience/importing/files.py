"""Where uploaded files lie: below `imports/` in the default storage, named by the job's public id."""

from __future__ import annotations

from typing import Any

from django.core.files.base import File
from django.core.files.storage import default_storage

MAX_BYTES = 200 * 1024 * 1024


def store(public_id: str, upload: File[Any]) -> None:
    """Copies in pieces; an upload that lies in a temporary file is moved."""
    remove(public_id)  # the storage would otherwise keep a leftover and choose another name for this one
    default_storage.save(_name(public_id), upload)


def open_stored(public_id: str) -> File[Any]:
    """Raises FileNotFoundError."""
    return default_storage.open(_name(public_id), "rb")


def remove(public_id: str) -> None:
    """Harmless when it is gone."""
    default_storage.delete(_name(public_id))


def _name(public_id: str) -> str:
    return f"imports/{public_id}.csv"
