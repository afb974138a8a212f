"""Letters to those who answer for a tenant."""

from __future__ import annotations

from apps.accounts.services.mail import Facts, send_mail
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role


def tell_those_who_answer(*, tenant: Tenant, kind: str, facts: Facts) -> None:
    """Queues `templates/mail/<kind>.txt` to every owner and administrator, each in their own language."""
    answering = Membership.objects.of(tenant).filter(role__in=[Role.OWNER, Role.ADMIN]).select_related("user")
    for membership in answering:
        language = membership.user.language or tenant.language
        send_mail(recipient=membership.user.email, kind=kind, language=language, facts=facts)
