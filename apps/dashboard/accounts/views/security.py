"""A person's own factors and sessions."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts import mfa, throttling
from apps.accounts.models import Authenticator
from apps.accounts.services import factors, sessions
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page, personal_page
from apps.dashboard.accounts.browsers import describe
from apps.dashboard.accounts.forms import EnrolForm
from apps.dashboard.accounts.navigation import wanted_page
from apps.dashboard.accounts.qr import qr_code
from apps.dashboard.accounts.step_up import ask_again, fresh_factor
from apps.dashboard.forms import add_errors
from apps.tenants.services.members import factor_is_required


@page(None, in_scope=False)
@require_safe
def security(request: DashboardRequest) -> HttpResponse:
    user = request.user
    open_sessions = [
        (entry, describe(entry.session.user_agent)) for entry in sessions.open_sessions(request, user=user)
    ]
    context = {
        "authenticators": Authenticator.objects.filter(user=user, confirmed=True).order_by("pk"),
        "recovery_codes_left": factors.recovery_codes_left(user=user),
        "open_sessions": open_sessions,
    }
    return render(request, "dashboard/accounts/security.html", context)


@personal_page
@never_cache
@require_http_methods(["GET", "POST"])
def enrol(request: DashboardRequest) -> HttpResponse:
    """Shows the seed only to somebody who proved themselves just now, and takes it into use with a right code."""
    form = EnrolForm(request.POST or None)
    if form.is_valid():
        try:
            return _confirm(request, code=form.cleaned_data["code"], name=form.cleaned_data["name"])
        except HouseError as error:
            add_errors(form, error)
    if not mfa.is_fresh(request):
        return ask_again(request)
    pending = factors.start_enrolment(user=request.user)
    context = {
        "form": form,
        "qr": qr_code(factors.enrolment_uri(pending)),
        "manual_key": pending.manual_key,
        "next": wanted_page(request),
    }
    return render(request, "dashboard/accounts/enrol.html", context)


def _confirm(request: DashboardRequest, *, code: str, name: str) -> HttpResponse:
    throttling.spend(throttling.CODES_OF_PERSON, request.user.public_id)
    authenticator = factors.confirm_enrolment(user=request.user, name=name, code=code)
    sessions.prove_again(request, authenticator=authenticator)
    sessions.end_other_sessions(request, user=request.user)
    if factors.recovery_codes_left(user=request.user):
        messages.success(request, _("The authenticator is ready."))
        return redirect("dashboard:security")
    return _show_new_codes(request)


@personal_page
@never_cache
@fresh_factor
@require_http_methods(["GET", "POST"])
def recovery_codes(request: DashboardRequest) -> HttpResponse:
    if not mfa.has_factor(request.user):
        return redirect("dashboard:security-enrol")
    if request.method == "POST":
        return _show_new_codes(request)
    context = {"left": factors.recovery_codes_left(user=request.user)}
    return render(request, "dashboard/accounts/recovery_codes_ask.html", context)


def _show_new_codes(request: DashboardRequest) -> HttpResponse:
    """The one time the codes are seen; they are kept nowhere, so a reload makes new ones."""
    codes = factors.replace_recovery_codes(user=request.user)
    groups = [" ".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]
    context = {"codes": groups, "text": "\n".join(groups), "next": wanted_page(request)}
    return render(request, "dashboard/accounts/recovery_codes.html", context)


@personal_page
@require_POST
@fresh_factor
def remove(request: DashboardRequest) -> HttpResponse:
    user = request.user
    others_left = factors.remove_authenticator(
        user=user, public_id=request.POST.get("authenticator", ""), required=factor_is_required(user)
    )
    if not others_left:
        mfa.forget(request)
    sessions.end_other_sessions(request, user=user)
    messages.success(request, _("The authenticator is removed."))
    return redirect("dashboard:security")


@personal_page
@require_POST
def end_session(request: DashboardRequest) -> HttpResponse:
    sessions.end_session(user=request.user, public_id=request.POST.get("session", ""))
    messages.success(request, _("That session is ended."))
    return redirect("dashboard:security")


@personal_page
@require_POST
def end_other_sessions(request: DashboardRequest) -> HttpResponse:
    count = sessions.end_other_sessions(request, user=request.user)
    messages.success(request, ngettext("%d session is ended.", "%d sessions are ended.", count) % count)
    return redirect("dashboard:security")
