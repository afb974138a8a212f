"""Two people at once: an organisation keeps an owner, and a link makes one member."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.core.errors import HouseError
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.services import invitations, members

pytestmark = pytest.mark.django_db(transaction=True)


def both(*actions: Callable[[], object]) -> list[str]:
    """Runs the actions at the same time in connections of their own; "done" or the error's code for each."""
    results: list[str] = []
    barrier = Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        barrier.wait(5)
        try:
            action()
            results.append("done")
        except HouseError as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return sorted(results)


def test_two_owners_who_remove_each_other_leave_one(tenant: Tenant, owner: User, other_owner: User) -> None:
    with tenant_scope(tenant):
        first = Membership.objects.of(tenant).select_related("user").get()
        second = Membership.objects.create(tenant=tenant, user=other_owner, role=Role.OWNER)

    def remove(actor: Membership, target: Membership) -> None:
        with tenant_scope(tenant):
            members.remove_member(tenant=tenant, actor=actor, membership=target)

    results = both(lambda: remove(first, second), lambda: remove(second, first))
    assert results.count("done") == 1
    with tenant_scope(tenant):
        assert Membership.objects.of(tenant).filter(role=Role.OWNER).count() == 1


def test_a_link_opened_twice_at_once_makes_one_member(tenant: Tenant, other_owner: User) -> None:
    tokens: list[str] = []
    with tenant_scope(tenant):
        actor = Membership.objects.of(tenant).select_related("user").get()
        invitations.invite_member(
            tenant=tenant, actor=actor, email=other_owner.email, role=Role.ANALYST, link=lambda t: tokens.append(t) or t
        )

    def accept() -> None:
        invitations.accept_invitation(token=tokens[0], user=other_owner)

    assert both(accept, accept) == ["done", "invitation_expired"]
    with tenant_scope(tenant):
        assert Membership.objects.of(tenant).filter(user=other_owner).count() == 1


def test_a_link_accepted_twice_at_once_by_somebody_new_makes_one_account(tenant: Tenant) -> None:
    tokens: list[str] = []
    with tenant_scope(tenant):
        actor = Membership.objects.of(tenant).select_related("user").get()
        invitations.invite_member(
            tenant=tenant,
            actor=actor,
            email="new@acme.example",
            role=Role.ANALYST,
            link=lambda t: tokens.append(t) or t,
        )

    def join() -> None:
        invitations.join_by_invitation(token=tokens[0], name="New", password="correct horse battery staple")

    results = both(join, join)
    assert results.count("done") == 1
    assert User.objects.filter(email="new@acme.example").count() == 1
