"""The page on which one person asks and another approves, and the application's settings about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from apps.campaigns.asking import ask_for_approval
from apps.campaigns.models import SendingDefaults
from apps.campaigns.services import approving, set_fuse
from apps.campaigns.services.approving import Subject
from apps.campaigns.services.fuses import BOUNDS
from apps.campaigns.services.rules import default_fuse
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.views import campaigns_of
from apps.tenants.models import Application
from apps.tenants.permissions import may

#: Member of a fuse -> the form's field.
_FIELDS = {"errors": "errors_percent", "gone": "gone_percent", "window": "window", "least": "least"}


def _whole(name: str, label: Any, help_text: Any) -> forms.IntegerField:
    """A member of the fuse, with its bounds beside it."""
    least, most = BOUNDS[name]
    bounds = format_lazy(gettext_lazy("From {least} to {most}."), least=least, most=most)
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, help_text=format_lazy("{} {}", help_text, bounds)
    )


class SafetyForm(forms.Form):
    """Approval and fuse of an application's campaigns."""

    needs_approval = forms.BooleanField(label=gettext_lazy("A second person approves each campaign"), required=False)
    errors_percent = _whole(
        "errors", gettext_lazy("Pause when more than so many per cent fail"),
        gettext_lazy("Of the attempts. Who is not connected, or has no device, is no failure."),
    )  # fmt: skip
    gone_percent = _whole(
        "gone", gettext_lazy("Pause when more than so many per cent of the installations are gone"),
        gettext_lazy("Of the addresses that were tried. A wrong key or environment looks like that."),
    )  # fmt: skip
    window = _whole(
        "window", gettext_lazy("Counted within so many seconds"),
        gettext_lazy("A short one notices sooner, a long one forgives a short trouble. 600 is ten minutes."),
    )  # fmt: skip
    least = _whole(
        "least", gettext_lazy("Nothing is concluded below so many attempts"),
        gettext_lazy("A small campaign, or the first moments of a large one, must not stop for a few bad addresses."),
    )  # fmt: skip

    @property
    def fuse(self) -> dict[str, int]:
        return {name: self.cleaned_data[field] for name, field in _FIELDS.items()}


def safety_form(application: Application) -> SafetyForm:
    """Unbound, as it is now."""
    row = SendingDefaults.objects.of(application.tenant_id).filter(application=application).first()
    needed = bool(row and row.needs_approval)
    fuse = default_fuse(application).to_json()
    return SafetyForm(initial={"needs_approval": needed, **{_FIELDS[name]: value for name, value in fuse.items()}})


@page("applications.write")
@require_POST
def application_safety(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    form = SafetyForm(request.POST)
    if form.is_valid():
        set_fuse(tenant=request.tenant, application=application, fuse=form.fuse)
        approving.set_needs_approval(
            tenant=request.tenant, application=application, needed=form.cleaned_data["needs_approval"],
            actor=request.user.public_id,
        )  # fmt: skip
        messages.success(request, _("Saved."))
    else:
        for name, sentences in form.errors.items():
            messages.error(request, f"{form[name].label}: {' '.join(map(str, sentences))}")
    return redirect("dashboard:application-settings", public_id)


@page("campaigns.read")
@require_http_methods(["GET", "POST"])
def campaign_approval(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    return approval_page(request, shown, "campaign")


def approval_page(request: DashboardRequest, subject: Subject, page_name: str) -> HttpResponse:
    """page_name: of the route to the subject; that of its approval ends in `-approval`, that of its list in `-list`."""
    try:
        if request.method == "POST":
            _act(request, subject)
            return redirect(f"dashboard:{page_name}-approval", subject.public_id)
        context = _state_of(request, subject)
    except HouseError as error:
        messages.error(request, str(error.message))
        return redirect(f"dashboard:{page_name}", subject.public_id)
    urls = {"subject_url": reverse(f"dashboard:{page_name}", args=[subject.public_id]),
            "list_url": reverse(f"dashboard:{page_name}-list")}  # fmt: skip
    return render(
        request, "dashboard/campaigns/approval.html", {**context, **urls, "is_journey": page_name == "journey"}
    )


def _act(request: DashboardRequest, shown: Subject) -> None:
    verb = request.POST.get("verb")
    if verb == "ask" and may(request.membership.role, "campaigns.write"):
        ask_for_approval(tenant=request.tenant, subject=shown, actor=request.user.public_id, asked_by=request.user)
    elif verb in {"approve", "reject"} and may(request.membership.role, approving.PERMISSION):
        approving.decide_approval(
            tenant=request.tenant, subject=shown, user=request.user, approves=verb == "approve",
            seen=request.POST.get("seen", ""),
        )  # fmt: skip


def _state_of(request: DashboardRequest, shown: Subject) -> dict[str, object]:
    asked = approving.latest_approval(shown, decision="")
    is_asked_now = asked is not None and asked.hash == approving.hash_of(approving.signed_plan(shown))
    may_decide = is_asked_now and may(request.membership.role, approving.PERMISSION)
    return {
        "subject": shown,
        "asked": asked,
        "approved": approving.latest_approval(shown, decision="approved"),
        "is_approved": approving.is_approved(shown),
        "is_asked_now": is_asked_now,
        "may_decide": may_decide and asked is not None and asked.asked_by_id != request.user.pk,
        "changes": approving.changes_since_approval(shown),
    }
