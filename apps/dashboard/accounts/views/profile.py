"""A person's name and language."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accounts.services.profiles import update_profile
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.forms import ProfileForm
from apps.dashboard.forms import add_errors
from apps.dashboard.preferences.views import remember


@page(None)
@require_http_methods(["GET", "POST"])
def profile(request: DashboardRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, initial={"name": request.user.name, "language": request.user.language})
    if form.is_valid():
        try:
            update_profile(user=request.user, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            return _saved(form.cleaned_data["language"], request)
    return render(request, "dashboard/accounts/profile.html", {"form": form})


def _saved(language: str, request: DashboardRequest) -> HttpResponse:
    """The cookie speaks before the account does, so it has to follow."""
    response = redirect("dashboard:profile")
    if language:
        translation.activate(language)
        remember(response, settings.LANGUAGE_COOKIE_NAME, language)
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    messages.success(request, _("Your profile is saved."))
    return response
