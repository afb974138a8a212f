"""Forgotten and changed passwords."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.models import User
from apps.accounts.services import passwords
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, open_page, page
from apps.dashboard.accounts.forms import ChangePasswordForm, ForgottenForm, NewPasswordForm
from apps.dashboard.accounts.navigation import absolute
from apps.dashboard.forms import add_errors


@open_page
@never_cache
@require_http_methods(["GET", "POST"])
def password_reset(request: HttpRequest) -> HttpResponse:
    """Answers the same for every address."""
    form = ForgottenForm(request.POST or None)

    def link(user: User, token: str) -> str:
        return absolute(request, "dashboard:password-reset-confirm", user.public_id, token)

    if form.is_valid():
        try:
            passwords.request_password_reset(request, email=form.cleaned_data["email"], link=link)
        except HouseError as error:
            add_errors(form, error)
        else:
            return redirect("dashboard:password-reset-sent")
    return render(request, "dashboard/accounts/password_reset.html", {"form": form})


@open_page
@require_safe
def password_reset_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/accounts/password_reset_sent.html")


@open_page
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def password_reset_confirm(request: HttpRequest, person: str, token: str) -> HttpResponse:
    """Sets the password and leads to the sign-in, so that a second factor is asked for as always."""
    user = passwords.person_of_reset_link(public_id=person, token=token)
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            passwords.reset_password(public_id=person, token=token, new=form.cleaned_data["password"])
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Your password is changed. Sign in with the new one."))
            return redirect("dashboard:sign-in")
    return render(request, "dashboard/accounts/password_reset_confirm.html", {"form": form, "person": user})


@page(None, in_scope=False)
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def change_password(request: DashboardRequest) -> HttpResponse:
    form = ChangePasswordForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            passwords.change_password(
                request, user=request.user, current=given["current_password"], new=given["new_password"]
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Your password is changed, and you are signed out everywhere else."))
            return redirect("dashboard:security")
    return render(request, "dashboard/accounts/change_password.html", {"form": form})
