"""Who belongs to a tenant, as what, and how well proved. Inviting is in `invitations.py`.

The actor of each verb is the member who does it, because what one may do to an owner depends on being one.
"""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.tenants.errors import LastOwner, RoleNotGrantable
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import MFA_ROLES, Role
from apps.tenants.queries import memberships_of
from apps.tenants.services.audit import record_audit


def change_role(*, tenant: Tenant, actor: Membership, membership: Membership, role: Role) -> Membership:
    """Raises RoleNotGrantable, LastOwner. The same role again changes nothing."""
    actor, membership = _locked(tenant, actor, membership)
    before = Role(membership.role)
    if before == role:
        return membership
    require_may_grant(actor, before, role)
    if before == Role.OWNER:
        _require_another_owner(tenant, membership)
    membership.changed(role=role.value)
    record_audit(
        tenant=tenant,
        actor=actor.user.public_id,
        action="member.role_changed",
        target=membership.public_id,
        facts={"from": before.value, "to": role.value},
    )
    return membership


def remove_member(*, tenant: Tenant, actor: Membership, membership: Membership) -> None:
    """Ends the membership, at once for every open page. Raises RoleNotGrantable, LastOwner."""
    actor, membership = _locked(tenant, actor, membership)
    role = Role(membership.role)
    require_may_grant(actor, role)
    if role == Role.OWNER:
        _require_another_owner(tenant, membership)
    target, person = membership.public_id, membership.user.public_id
    membership.delete()
    record_audit(
        tenant=tenant,
        actor=actor.user.public_id,
        action="member.removed",
        target=target,
        facts={"role": role.value, "user": person},
    )


def require_factor_of_all(*, tenant: Tenant, actor: Membership, required: bool) -> None:
    """Whether every member needs a second factor; those without one are led to it at their next page."""
    if tenant.requires_mfa == required:
        return
    tenant.changed(requires_mfa=required)
    record_audit(
        tenant=tenant,
        actor=actor.user.public_id,
        action="tenant.factor_policy_changed",
        target=tenant.public_id,
        facts={"required": required},
    )


def require_may_grant(actor: Membership, *roles: Role) -> None:
    """An owner's place is given and taken by owners only. Raises RoleNotGrantable."""
    if Role.OWNER in roles and actor.role != Role.OWNER:
        raise RoleNotGrantable


def grantable_roles(actor: Membership) -> list[Role]:
    return [role for role in Role if role != Role.OWNER or actor.role == Role.OWNER]


def factor_is_required(user: User) -> bool:
    """Whether any tenant of this person wants a second factor of them. Opens the REGISTRY scope itself."""
    return any(record.role in MFA_ROLES or record.requires_mfa for record in memberships_of(user))


def _locked(tenant: Tenant, actor: Membership, membership: Membership) -> tuple[Membership, Membership]:
    """Both as they are now. All memberships of the tenant are locked in one order, so that two owners who demote each
    other come one after the other, and the second one finds itself gone. Raises NotFound.
    """
    locked = Membership.objects.of(tenant).select_for_update(of=("self",)).select_related("user").order_by("pk")
    rows = {row.pk: row for row in locked}
    if actor.pk not in rows or membership.pk not in rows:
        raise NotFound
    return rows[actor.pk], rows[membership.pk]


def _require_another_owner(tenant: Tenant, membership: Membership) -> None:
    owners = Membership.objects.of(tenant).filter(role=Role.OWNER).exclude(pk=membership.pk)
    if not owners.exists():
        raise LastOwner
