"""The page on which one person asks and another approves, and the application's settings about it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from apps.campaigns.asking import ask_for_approval
from apps.campaigns.models import Campaign, SendingDefaults
from apps.campaigns.services import approving, set_fuse
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.views import campaigns_of
from apps.messaging.sending.fusing import Fuse
from apps.tenants.models import Application
from apps.tenants.permissions import may


class SafetyForm(forms.Form):
    """Approval and fuse of an application's campaigns."""

    needs_approval = forms.BooleanField(label=gettext_lazy("A second person approves each campaign"), required=False)
    errors_percent = forms.IntegerField(
        label=gettext_lazy("Pause when more than so many per cent fail"), min_value=1, max_value=100
    )
    gone_percent = forms.IntegerField(
        label=gettext_lazy("Pause when more than so many per cent of the installations are gone"), min_value=1,
        max_value=100,
    )  # fmt: skip


def safety_form(application: Application) -> SafetyForm:
    """Unbound, as it is now."""
    row = SendingDefaults.objects.of(application.tenant_id).filter(application=application).first()
    fuse = Fuse.from_json(row.fuse) if row and row.fuse else Fuse()
    needed = bool(row and row.needs_approval)
    return SafetyForm(initial={"needs_approval": needed, "errors_percent": fuse.errors, "gone_percent": fuse.gone})


@page("applications.write")
@require_POST
def application_safety(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    form = SafetyForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        fuse = {"errors": said["errors_percent"], "gone": said["gone_percent"]}
        set_fuse(tenant=request.tenant, application=application, fuse=fuse)
        approving.set_needs_approval(
            tenant=request.tenant, application=application, needed=said["needs_approval"],
            actor=request.user.public_id,
        )  # fmt: skip
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Use whole numbers from 1 to 100."))
    return redirect("dashboard:application-settings", public_id)


@page("campaigns.read")
@require_http_methods(["GET", "POST"])
def campaign_approval(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    try:
        if request.method == "POST":
            _act(request, shown)
            return redirect("dashboard:campaign-approval", public_id)
        context = _state_of(request, shown)
    except HouseError as error:
        messages.error(request, str(error.message))
        return redirect("dashboard:campaign", public_id)
    return render(request, "dashboard/campaigns/approval.html", context)


def _act(request: DashboardRequest, shown: Campaign) -> None:
    verb = request.POST.get("verb")
    if verb == "ask" and may(request.membership.role, "campaigns.write"):
        ask_for_approval(tenant=request.tenant, campaign=shown, actor=request.user.public_id, asked_by=request.user)
    elif verb in {"approve", "reject"} and may(request.membership.role, approving.PERMISSION):
        approving.decide_approval(
            tenant=request.tenant, campaign=shown, user=request.user, approves=verb == "approve",
            seen=request.POST.get("seen", ""),
        )  # fmt: skip


def _state_of(request: DashboardRequest, shown: Campaign) -> dict[str, object]:
    asked = approving.latest_approval(shown, decision="")
    is_asked_now = asked is not None and asked.hash == approving.hash_of(approving.signed_plan(shown))
    may_decide = is_asked_now and may(request.membership.role, approving.PERMISSION)
    return {
        "campaign": shown,
        "asked": asked,
        "approved": approving.latest_approval(shown, decision="approved"),
        "is_approved": approving.is_approved(shown),
        "is_asked_now": is_asked_now,
        "may_decide": may_decide and asked is not None and asked.asked_by_id != request.user.pk,
        "changes": approving.changes_since_approval(shown),
    }
