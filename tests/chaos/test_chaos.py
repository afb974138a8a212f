"""A slice of `make chaos`: nothing is lost silently and order is kept, whatever is killed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import Chaos
from tests.chaos.witnesses import GAP, SENT_AWAY, Note, faults_in
from tests.live import Live

SEED, FAULTS = 20, 8


@pytest.mark.parametrize(
    ("notes", "count"),
    [
        ([GAP, 1, 2, 3], 0),
        ([GAP, 4, 5, GAP, 9, 10], 0),
        ([GAP, 1, 2, 2, 3], 0),
        ([GAP, 1, 3, SENT_AWAY, GAP, 7], 0),
        ([GAP, 1, 3], 1),
        ([GAP, 1, 3, GAP, 4], 1),
        ([GAP, 2, 1], 1),
    ],
)
def test_notes_are_judged(notes: list[Note], count: int) -> None:
    assert len(faults_in(notes)) == count


@pytest.fixture
def product() -> Iterator[Live]:
    """Its own, since its Valkey is killed."""
    home = Path(tempfile.mkdtemp(prefix="pushsaas-chaos-"))
    live = Live(home)
    yield live
    live.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.chaos
@pytest.mark.xdist_group("live")
def test_nothing_is_lost_silently(product: Live) -> None:
    report = asyncio.run(Chaos(product, product.tenant(), SEED).run(FAULTS))
    print(report)
    assert report.published > 100
    assert len(report.faults) == FAULTS
    assert report.broken == []
