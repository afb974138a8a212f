"""Templates: words kept for reuse, refused when they would not render."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.core.text import require_name
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.errors import TemplateInUse, TemplateNameTaken
from apps.messaging.models import Template
from apps.tenants.models import Application, Tenant


def create_template(*, tenant: Tenant, application: Application, name: str, content: Content) -> Template:
    """Raises TemplateInvalid with every fault's position, ContentMissing, ContentTooLarge, TemplateNameTaken."""
    compile_content(content)
    template = Template(tenant=tenant, application=application, name=require_name(name), content=_as_json(content))
    return _saved(template)


def update_template(
    *, tenant: Tenant, template: Template, name: str | None = None, content: Content | None = None
) -> Template:
    """Changes what is given. Messages accepted before keep the words they were accepted with."""
    if name is not None:
        template.name = require_name(name)
    if content is not None:
        compile_content(content)
        template.content = _as_json(content)
    return _saved(template)


def delete_template(*, tenant: Tenant, template: Template) -> None:
    """Raises TemplateInUse while a campaign takes its words from it."""
    try:
        template.delete()
    except ProtectedError as error:
        raise TemplateInUse from error


def _saved(template: Template) -> Template:
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        raise TemplateNameTaken from error
    return template


def _as_json(content: Content) -> dict[str, Any]:
    return {language: dict(fields) for language, fields in content.items()}
