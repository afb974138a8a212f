"""Signing in with the password, then with the second factor; proving oneself again; signing out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import mfa, throttling
from apps.accounts.models import User
from apps.accounts.services import factors, sessions
from apps.core.addresses import client_ip, network_of
from apps.core.errors import HouseError
from apps.dashboard.access import open_page
from apps.dashboard.accounts.forms import CodeForm, ConfirmPasswordForm, RecoveryForm, SignInForm
from apps.dashboard.accounts.navigation import back, signed_in, wanted_page, with_next
from apps.dashboard.forms import add_errors


@open_page
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return back(request)
    form = SignInForm(request.POST or None)
    if form.is_valid():
        try:
            user = sessions.check_password(request, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            if sessions.begin_sign_in(request, user=user):
                return signed_in(request, user)
            return redirect(with_next("dashboard:verify", wanted_page(request)))
    return render(request, "dashboard/accounts/sign_in.html", {"form": form, "next": wanted_page(request)})


@dataclass(frozen=True, slots=True)
class Challenge:
    """Who must prove what. signing_in: nobody is signed in yet. may_recover: a recovery code would do."""

    user: User
    signing_in: bool
    kind: str
    may_recover: bool


_FORMS: dict[str, type[forms.Form]] = {"code": CodeForm, "recovery": RecoveryForm, "password": ConfirmPasswordForm}


@open_page
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    challenge = _challenge(request)
    if challenge is None:
        return redirect(with_next("dashboard:sign-in", wanted_page(request)))
    form = _FORMS[challenge.kind](request.POST or None)
    if form.is_valid():
        try:
            _answer(request, challenge, form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            return signed_in(request, challenge.user) if challenge.signing_in else back(request)
    context = {"form": form, "challenge": challenge, "next": wanted_page(request)}
    return render(request, "dashboard/accounts/verify.html", context)


def _challenge(request: HttpRequest) -> Challenge | None:
    user = request.user if isinstance(request.user, User) else sessions.pending_user(request)
    if user is None:
        return None
    signing_in = not request.user.is_authenticated
    if not mfa.has_factor(user):
        return Challenge(user, signing_in, "password", may_recover=False)
    # A recovery code ends a sign-in, but it never opens what asks for a fresh proof.
    may_recover = not mfa.is_verified(request)
    wants_recovery = may_recover and request.GET.get("use") == "recovery"
    return Challenge(user, signing_in, "recovery" if wants_recovery else "code", may_recover)


def _answer(request: HttpRequest, challenge: Challenge, given: dict[str, Any]) -> None:
    user = challenge.user
    throttling.spend(throttling.CODES_OF_PERSON, user.public_id)
    throttling.spend(throttling.CODES_FROM_NETWORK, network_of(client_ip(request)))
    authenticator = None
    if challenge.kind == "code":
        authenticator = factors.prove_code(user=user, code=given["code"])
    elif challenge.kind == "recovery":
        authenticator = factors.use_recovery_code(user=user, code=given["code"])
    else:
        sessions.confirm_password(request, user=user, password=given["password"])
    if challenge.signing_in:
        sessions.sign_in(request, user=user)
    sessions.prove_again(request, authenticator=authenticator, recovery=challenge.kind == "recovery")


@open_page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    sessions.sign_out(request)
    return redirect("dashboard:sign-in")
