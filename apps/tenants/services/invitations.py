"""Inviting people by e-mail. The link's token is 256 random bits, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.accounts.services.mail import send_mail
from apps.accounts.services.passwords import require_good_password
from apps.core import clock
from apps.core.text import require_name
from apps.tenants.errors import AlreadyMember, InvitationExpired, InvitedSomebodyElse
from apps.tenants.models import Invitation, Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services.audit import record_audit
from apps.tenants.services.members import require_may_grant

VALID_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """What the holder of a link may know before accepting. known: whether the address has an account already."""

    tenant_id: int
    tenant_name: str
    email: str
    role: Role
    known: bool


def invite_member(
    *, tenant: Tenant, actor: Membership, email: str, role: Role, link: Callable[[str], str]
) -> Invitation:
    """Mails a link that is good for seven days. Inviting the address again replaces the link of before.

    link: makes the absolute address from the token. Raises AlreadyMember, RoleNotGrantable.
    """
    require_may_grant(actor, role)
    email = email.lower()
    if Membership.objects.of(tenant).filter(user__email=email).exists():
        raise AlreadyMember(fields={"email": [AlreadyMember.default_message]})
    token = secrets.token_urlsafe(32)
    values = {
        "role": role.value,
        "token_hash": _hash(token),
        "invited_by": actor.user,
        "expires_at": clock.now() + VALID_FOR,
        "updated_at": clock.now(),
    }
    invitation, _created = Invitation.objects.of(tenant).update_or_create(
        tenant=tenant, email=email, accepted_at=None, defaults=values
    )
    record_audit(
        tenant=tenant,
        actor=actor.user.public_id,
        action="member.invited",
        target=invitation.public_id,
        facts={"role": role.value},
    )
    facts = {"tenant": tenant.name, "inviter": actor.user.get_short_name(), "link": link(token)}
    send_mail(recipient=email, kind="invitation", language=tenant.language, facts=facts)
    return invitation


def open_invitations(*, tenant: Tenant) -> list[Invitation]:
    """Not accepted yet, the newest first; expired ones too, so that they can be sent again."""
    return list(Invitation.objects.of(tenant).filter(accepted_at=None).order_by("-created_at", "-pk"))


def revoke_invitation(*, tenant: Tenant, actor: Membership, invitation: Invitation) -> None:
    """The link dies at once. Raises RoleNotGrantable."""
    require_may_grant(actor, Role(invitation.role))
    target = invitation.public_id
    invitation.delete()
    record_audit(tenant=tenant, actor=actor.user.public_id, action="invitation.revoked", target=target)


def find_invitation(token: str) -> InvitationRecord:
    """Raises InvitationExpired. Opens the REGISTRY scope itself."""
    with all_tenants(CrossTenantRole.REGISTRY):
        valid = Invitation.objects.get_queryset().filter(accepted_at=None, expires_at__gt=clock.now())
        invitation = valid.select_related("tenant").filter(token_hash=_hash(token)).first()
    if invitation is None:
        raise InvitationExpired
    return InvitationRecord(
        tenant_id=invitation.tenant_id,
        tenant_name=invitation.tenant.name,
        email=invitation.email,
        role=Role(invitation.role),
        known=User.objects.filter(email=invitation.email).exists(),
    )


def accept_invitation(*, token: str, user: User) -> Membership:
    """Makes the person a member and uses the link up. Raises InvitationExpired, InvitedSomebodyElse.

    Opens the tenant's scope itself. Somebody who is a member already stays what they are.
    """
    record = find_invitation(token)
    if record.email != user.email:
        raise InvitedSomebodyElse
    with tenant_scope(record.tenant_id):
        # Whoever waits here for another acceptance finds the link used.
        locked = Invitation.objects.of(record.tenant_id).select_for_update(of=("self",)).select_related("tenant")
        invitation = locked.filter(token_hash=_hash(token), accepted_at=None).first()
        if invitation is None:
            raise InvitationExpired
        membership, _created = Membership.objects.of(record.tenant_id).get_or_create(
            tenant=invitation.tenant, user=user, defaults={"role": invitation.role}
        )
        invitation.changed(accepted_at=clock.now())
        record_audit(
            tenant=invitation.tenant,
            actor=user.public_id,
            action="invitation.accepted",
            target=invitation.public_id,
            facts={"role": membership.role},
        )
    return membership


def join_by_invitation(*, token: str, name: str, password: str) -> Membership:
    """An account and a membership for an address without one; the link proves the address.

    Raises InvitationExpired, InvitedSomebodyElse (the address has an account meanwhile), InvalidInput.
    """
    record = find_invitation(token)
    if record.known:
        raise InvitedSomebodyElse
    name = require_name(name, limit=150)
    require_good_password(password, user=User(email=record.email, name=name))
    with transaction.atomic():
        try:
            with transaction.atomic():
                user = User.objects.create_user(record.email, password, name=name)
        except IntegrityError:  # the same link, opened twice at once
            raise InvitedSomebodyElse from None
        return accept_invitation(token=token, user=user)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
