from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.conf import settings

from apps.accounts.models import User
from apps.audience.models import Subscriber
from apps.operations import demo
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_file() -> Path:
    path = Path(settings.HOME) / "demo.json"
    path.unlink(missing_ok=True)
    return path


def test_the_demo_is_made_once_and_greets_the_same_twice(demo_file: Path) -> None:
    demo.ensure()
    first = demo.greeting("http://host")
    demo.ensure()
    assert demo.greeting("http://host") == first
    assert stat.S_IMODE(demo_file.stat().st_mode) == 0o600
    with all_tenants(CrossTenantRole.REGISTRY):
        tenant = Tenant.objects.get(name="Demo")
    with tenant_scope(tenant):
        assert Subscriber.objects.of(tenant).filter(external_id="ada", attributes__plan="pro").exists()


def test_an_installation_with_people_in_it_gets_no_demo(demo_file: Path) -> None:
    User.objects.create_user("somebody@example.com", "a long enough password")
    demo.ensure()
    assert demo.greeting("http://host") == []
    assert not demo_file.exists()
