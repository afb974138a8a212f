"""Prepared PostgreSQL clusters, kept between test processes beside the packages they were made with.

Roles and migrations take a core fifteen seconds, copying their outcome half a second. A cluster is named for everything
that goes into it, so that a changed migration makes a new one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
_KEPT = Path(sys.prefix) / "test-clusters"
_UNUSED_FOR = 24 * 3_600
#: What a prepared cluster depends on.
_SOURCES = (
    "apps/*/migrations/*.py", "apps/**/models.py", "apps/**/models/*.py", "apps/tenants/r*.py",
    "apps/operations/database.py", "apps/core/embedded.py", "apps/billing/catalogue.py", "pushsaas/settings/*.py",
    "requirements.txt",
)  # fmt: skip


def restore(data: Path, database: str) -> bool:
    """Copies the kept cluster to `data`, which must not exist; False when there is none."""
    kept = _place(database)
    if not kept.exists():
        return False
    os.utime(kept)
    data.parent.mkdir(parents=True, exist_ok=True)
    _copy(kept, data)
    return True


def keep(data: Path, database: str) -> None:
    """Keeps a prepared cluster whose server has stopped, and throws away what was not used for a day."""
    _KEPT.mkdir(exist_ok=True)
    for other in _KEPT.iterdir():
        if other.stat().st_mtime < time.time() - _UNUSED_FOR:
            shutil.rmtree(other, ignore_errors=True)
    copy = Path(tempfile.mkdtemp(dir=_KEPT)) / "data"
    _copy(data, copy)
    try:
        copy.rename(_place(database))
    except OSError:  # another process was faster
        shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(copy.parent, ignore_errors=True)


def _place(database: str) -> Path:
    digest = hashlib.sha256(database.encode())
    for pattern in _SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return _KEPT / digest.hexdigest()[:24]


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    if os.geteuid() == 0:  # then the server runs under an account of its own, which must own its files
        owner = source.stat()
        for path in (target, *target.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
