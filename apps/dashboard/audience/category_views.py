"""The categories of messages that people may do without."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.audience.preferences import name_in
from apps.audience.services.preferences import categories_of, create_category, delete_category
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.audience.chosen import chosen_application
from apps.dashboard.audience.forms import CategoryForm
from apps.dashboard.errors import RoleForbids
from apps.dashboard.forms import add_errors
from apps.tenants.permissions import may


@page("audience.read")
@require_http_methods(["GET", "POST"])
def categories(request: DashboardRequest) -> HttpResponse:
    """The list, and for those who may write a form below it."""
    application = chosen_application(request)
    form = CategoryForm(request.POST or None)
    if request.method == "POST" and not may(request.membership.role, "audience.write"):
        raise RoleForbids
    if form.is_valid():
        try:
            create_category(tenant=request.tenant, application=application, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The category is added."))
            return redirect("dashboard:category-list")
    language = get_language() or "en"
    found = categories_of(application).order_by("pk")
    rows = [(category, name_in(category.names, language, otherwise=category.key)) for category in found]
    return render(request, "dashboard/audience/categories.html", {"rows": rows, "form": form})


@page("audience.write")
@require_POST
def delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    category = categories_of(chosen_application(request)).access(public_id)
    delete_category(tenant=request.tenant, category=category)
    messages.success(request, _("The category is deleted."))
    return redirect("dashboard:category-list")
