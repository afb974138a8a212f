"""Accepting an invitation: by somebody signed in, by somebody who has to sign in first, by somebody new."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.accounts.services import sessions
from apps.core.errors import HouseError
from apps.dashboard.access import open_page
from apps.dashboard.accounts.forms import JoinForm
from apps.dashboard.current import choose_tenant
from apps.dashboard.forms import add_errors
from apps.tenants.models import Membership
from apps.tenants.services import invitations


@open_page
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Raises InvitationExpired, which becomes its page."""
    record = invitations.find_invitation(token)
    context = {"invitation": record, "next": request.path}
    if isinstance(request.user, User):
        if request.method == "POST":
            return _enter(request, invitations.accept_invitation(token=token, user=request.user))
        return render(request, "dashboard/members/accept.html", context)
    if record.known:
        return render(request, "dashboard/members/accept_signed_out.html", context)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        try:
            membership = invitations.join_by_invitation(token=token, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            sessions.sign_in(request, user=membership.user)
            return _enter(request, membership)
    return render(request, "dashboard/members/join.html", {**context, "form": form})


def _enter(request: HttpRequest, membership: Membership) -> HttpResponse:
    choose_tenant(request, membership)
    messages.success(request, _("Welcome. You are a member now."))
    return redirect("dashboard:overview")
