"""Creating, changing and removing segments."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audience.errors import SegmentInvalid, SegmentNameTaken, SegmentRulesInvalid
from apps.audience.models import Segment
from apps.audience.segments import Rule, RuleError, parse
from apps.tenants.models import Application, Tenant

MAX_NAME = 120
MAX_SEGMENTS = 1_000


def create_segment(*, tenant: Tenant, application: Application, name: str, rules: object) -> Segment:
    """Raises SegmentInvalid, SegmentRulesInvalid, SegmentNameTaken."""
    assert application.tenant_id == tenant.pk
    if Segment.objects.of(tenant).filter(application=application).count() >= MAX_SEGMENTS:
        raise SegmentInvalid(_("An application has at most 1,000 segments."), details={"limit": MAX_SEGMENTS})
    read_rules(rules)
    return _saved(Segment(tenant=tenant, application=application, name=_read_name(name), rules=rules))


def change_segment(
    *, tenant: Tenant, segment: Segment, name: str | None = None, rules: object | None = None
) -> Segment:
    """Changes what is given. Raises as `create_segment`."""
    assert segment.tenant_id == tenant.pk
    if name is not None:
        segment.name = _read_name(name)
    if rules is not None:
        read_rules(rules)
        segment.rules = rules
    return _saved(segment)


def delete_segment(*, tenant: Tenant, segment: Segment) -> None:
    Segment.objects.of(tenant).filter(pk=segment.pk).delete()


def read_rules(rules: object) -> Rule:
    """The tree, or SegmentRulesInvalid with its path."""
    try:
        return parse(rules)
    except RuleError as error:
        raise SegmentRulesInvalid(
            error.message, fields={"rules": [error.message]}, details={"path": error.path}
        ) from error


def _read_name(name: str) -> str:
    trimmed = name.strip()
    if not 0 < len(trimmed) <= MAX_NAME or not trimmed.isprintable():
        sentence = _("A name has 1 to 120 printable characters.")
        raise SegmentInvalid(sentence, fields={"name": [sentence]})
    return trimmed


def _saved(segment: Segment) -> Segment:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError as error:
        if "a_segment_name_is_taken_once" not in str(error):
            raise
        raise SegmentNameTaken(fields={"name": [SegmentNameTaken.default_message]}) from error
    return segment
