"""A draft as it is published: with its templates' words and its segments' rules written out, so that changing those no
longer reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audience.models import Segment
from apps.audience.services.preferences import categories_of
from apps.campaigns.errors import JourneyInvalid
from apps.campaigns.journeys.graph import check_graph
from apps.campaigns.journeys.reading import read_definition
from apps.core.errors import NotFound
from apps.messaging.models import Template
from apps.tenants.models import Application


def frozen(application: Application, draft: Mapping[str, Any]) -> dict[str, Any]:
    """Raises JourneyInvalid, also for what is not there any more or never belonged to the application."""
    check_graph(read_definition(draft))
    definition: dict[str, Any] = deepcopy(dict(draft))
    for number, condition in enumerate(definition.get("exits") or []):
        _write_out_rules(application, condition, f"exits[{number}]")
    for number, step in enumerate(definition["steps"]):
        path = f"steps[{number}]"
        _write_out_rules(application, step.get("if") or {}, f"{path}.if")
        _write_out_words(application, step, path)
        _require_category(application, step.get("category"), path)
    return definition


def _write_out_rules(application: Application, condition: dict[str, Any], path: str) -> None:
    if "segment_id" not in condition:
        return
    segments = Segment.objects.of(application.tenant_id).filter(application=application)
    try:
        condition["rules"] = segments.access(condition.pop("segment_id")).rules
    except NotFound:
        raise JourneyInvalid(f"{path}.segment_id", _("This segment does not exist.")) from None


def _write_out_words(application: Application, step: dict[str, Any], path: str) -> None:
    if not step.get("template_id"):
        return
    templates = Template.objects.of(application.tenant_id).filter(application=application)
    try:
        step["content"] = templates.access(step.pop("template_id")).content
    except NotFound:
        raise JourneyInvalid(f"{path}.template_id", _("This template does not exist.")) from None


def _require_category(application: Application, key: str | None, path: str) -> None:
    if key and not categories_of(application).filter(key=key).exists():
        raise JourneyInvalid(f"{path}.category", _("There is no such category."))
