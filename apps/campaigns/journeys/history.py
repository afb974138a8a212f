"""What was published when, and what changed. Pure but for reading the versions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from apps.campaigns.journeys.models import Journey, JourneyVersion
from apps.tenants.models import TenantQuerySet


def versions_of(journey: Journey) -> TenantQuerySet[JourneyVersion]:
    """Newest first."""
    versions = JourneyVersion.objects.of(journey.tenant_id).filter(journey=journey)
    return versions.select_related("published_by").order_by("-number")


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines of the two definitions as (` `, `+` or `-`, text), with three unchanged ones around each change."""
    lines = list(difflib.unified_diff(_lines(before), _lines(after), n=3, lineterm=""))[2:]
    return [("…", "") if line.startswith("@@") else (line[0], line[1:]) for line in lines]


def _lines(definition: Mapping[str, Any]) -> list[str]:
    return json.dumps(definition, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
