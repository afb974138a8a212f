"""Published versions as definitions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from apps.campaigns.journeys.definition import Definition
from apps.campaigns.journeys.models import Journey, JourneyVersion
from apps.campaigns.journeys.reading import read_definition


def definition_of(journey: Journey, number: int) -> Definition:
    """Of the journey's version with this number."""
    versions = JourneyVersion.objects.of(journey.tenant_id).filter(journey=journey, number=number)
    return _read(_frozen(versions.get().definition))


def _frozen(definition: Any) -> bytes:
    return orjson.dumps(definition)


@lru_cache(maxsize=256)
def _read(definition: bytes) -> Definition:
    """Reading compiles every template; the same version is read by every batch."""
    return read_definition(orjson.loads(definition))
