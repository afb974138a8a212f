"""The members page: who belongs to the organisation, and as what."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import throttling
from apps.core import clock
from apps.core.errors import HouseError, InvalidInput
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.navigation import absolute
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.forms import add_errors
from apps.dashboard.members.forms import ROLE_LABELS, FactorPolicyForm, InviteForm, RoleForm
from apps.tenants.models import Invitation, Membership
from apps.tenants.permissions import Role, may
from apps.tenants.scope import tenant_scope
from apps.tenants.services import invitations
from apps.tenants.services import members as services


@page("members.read", in_scope=False)
@require_safe
def members(request: DashboardRequest) -> HttpResponse:
    return _list(request, InviteForm(roles=services.grantable_roles(request.membership)))


@page("members.write", in_scope=False)
@require_POST
@fresh_factor
def invite(request: DashboardRequest) -> HttpResponse:
    """Shows the list with the form's errors when it cannot."""
    form = InviteForm(request.POST, roles=services.grantable_roles(request.membership))
    if form.is_valid():
        try:
            throttling.spend(throttling.INVITATIONS, request.tenant.public_id)
            with tenant_scope(request.tenant):
                invitations.invite_member(
                    tenant=request.tenant,
                    actor=request.membership,
                    email=form.cleaned_data["email"],
                    role=Role(form.cleaned_data["role"]),
                    link=lambda token: absolute(request, "dashboard:invitation-accept", token),
                )
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The invitation is on its way to %s.") % form.cleaned_data["email"])
            return redirect("dashboard:member-list")
    return _list(request, form)


def _list(request: DashboardRequest, form: InviteForm) -> HttpResponse:
    with tenant_scope(request.tenant):
        people = list(Membership.objects.of(request.tenant).select_related("user").order_by("user__email"))
        waiting = invitations.open_invitations(tenant=request.tenant)
    context = {
        "people": people,
        "waiting": waiting,
        "form": form,
        "policy_form": FactorPolicyForm(initial={"required": request.tenant.requires_mfa}),
        "now": clock.now(),
        "role_labels": {role.value: label for role, label in ROLE_LABELS.items()},
        "grantable": services.grantable_roles(request.membership),
        "may_write": may(request.membership.role, "members.write"),
    }
    return render(request, "dashboard/members/members.html", context)


@page("members.write")
@require_POST
@fresh_factor
def change_role(request: DashboardRequest, public_id: str) -> HttpResponse:
    membership = Membership.objects.of(request.tenant).access(public_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(fields={name: list(sentences) for name, sentences in form.errors.items()})
    role = Role(form.cleaned_data["role"])
    services.change_role(tenant=request.tenant, actor=request.membership, membership=membership, role=role)
    messages.success(request, _("The role is changed."))
    return redirect("dashboard:member-list")


@page("members.write")
@require_POST
@fresh_factor
def remove(request: DashboardRequest, public_id: str) -> HttpResponse:
    membership = Membership.objects.of(request.tenant).access(public_id)
    services.remove_member(tenant=request.tenant, actor=request.membership, membership=membership)
    messages.success(request, _("The member is removed."))
    return redirect("dashboard:overview" if membership.user_id == request.user.pk else "dashboard:member-list")


@page("tenant.write")
@require_POST
@fresh_factor
def change_factor_policy(request: DashboardRequest) -> HttpResponse:
    form = FactorPolicyForm(request.POST)
    form.is_valid()  # one checkbox: nothing can be wrong with it
    services.require_factor_of_all(
        tenant=request.tenant, actor=request.membership, required=form.cleaned_data["required"]
    )
    messages.success(request, _("The rule is saved."))
    return redirect("dashboard:member-list")


@page("members.write")
@require_POST
@fresh_factor
def revoke(request: DashboardRequest, public_id: str) -> HttpResponse:
    invitation = Invitation.objects.of(request.tenant).filter(accepted_at=None).access(public_id)
    invitations.revoke_invitation(tenant=request.tenant, actor=request.membership, invitation=invitation)
    messages.success(request, _("The invitation is revoked."))
    return redirect("dashboard:member-list")
