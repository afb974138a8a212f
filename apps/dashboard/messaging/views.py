"""Templates: the list, the editor with its live preview."""

from __future__ import annotations

import re

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.messaging.content import PREFIX, known_attributes, merged, preview_words, someone, variants
from apps.dashboard.messaging.forms import TemplateForm
from apps.dashboard.messaging.typed import typed
from apps.messaging.models import Template
from apps.messaging.services import create_template, delete_template, update_template
from apps.tenants.models import TenantQuerySet

_PER_PAGE = 25
_OF_A_VARIANT = re.compile(r"(?P<arm>arms-\d{1,2})-words")


def templates_of(request: DashboardRequest) -> TenantQuerySet[Template]:
    return Template.objects.of(request.tenant).filter(application=request.application)


@page("campaigns.read")
@require_safe
def template_list(request: DashboardRequest) -> HttpResponse:
    query = typed(request.GET, "q")
    found = templates_of(request).filter(name__icontains=query) if query else templates_of(request)
    page_obj = Paginator(found.order_by("name", "pk"), _PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "dashboard/messaging/list.html", {"page_obj": page_obj, "query": query})


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def template_create(request: DashboardRequest) -> HttpResponse:
    return _edit(request, None)


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def template_edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    return _edit(request, templates_of(request).access(public_id))


def _edit(request: DashboardRequest, template: Template | None) -> HttpResponse:
    if request.application is None:
        raise NoApplication
    before = template.content if template else None
    form = TemplateForm(request.POST or None, initial={"name": template.name if template else ""})
    words = variants(request.POST or None, before, language=request.tenant.language)
    if request.method == "POST" and form.is_valid() and words.is_valid():
        content, name = merged(words.content, before), form.cleaned_data["name"]
        try:
            if template is None:
                create_template(tenant=request.tenant, application=request.application, name=name, content=content)
            else:
                update_template(tenant=request.tenant, template=template, name=name, content=content)
        except HouseError as error:
            if error.code in {"template_name_taken", "invalid_input"}:
                add_errors(form, error)
            else:
                words.add_faults(error)
        else:
            messages.success(request, _("Template saved."))
            return redirect("dashboard:template-list")
    context = {
        "form": form,
        "words": words,
        "template": template,
        "someone": someone(request),
        "attributes": known_attributes(request),
    }
    return render(request, "dashboard/messaging/edit.html", context)


@page("campaigns.write")
@require_POST
def template_delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    try:
        delete_template(tenant=request.tenant, template=templates_of(request).access(public_id))
    except HouseError as error:
        if error.code != "template_in_use":
            raise
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("Template deleted."))
    return redirect("dashboard:template-list")


@page("campaigns.read")
@require_POST
def words_preview(request: DashboardRequest) -> HttpResponse:
    """What the words in the editor become for a chosen subscriber, while they are typed."""
    if request.application is None:
        raise NoApplication
    prefix, variant = _shown_words(request)
    words = variants(request.POST, None, language=request.tenant.language, prefix=prefix)
    context: dict[str, object] = {}
    if words.is_valid():
        external_id = typed(request.POST, "preview_for", limit=200)
        try:
            name = request.POST.get("name", "")
            context["shown"] = preview_words(request, words.content, external_id, name, variant=variant)
        except HouseError as error:
            context["problem"] = error
    return render(request, "dashboard/messaging/_preview.html", context)


def _shown_words(request: DashboardRequest) -> tuple[str, str]:
    """The prefix of the fields to preview, and the name of the campaign's variant that they are the words of."""
    found = _OF_A_VARIANT.fullmatch(request.POST.get("shown_words", ""))
    if found is None:
        return PREFIX, typed(request.POST, "arms-0-key", limit=12) if "arms-1-key" in request.POST else ""
    return found.group(), typed(request.POST, f"{found['arm']}-key", limit=12)
