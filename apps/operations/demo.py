"""The demo tenant of a development run: one owner, one application, keys. Never made in production.

What a newcomer must be told stands in `demo.json` in home (mode 0600), so that a second start prints the same.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.operations import demo_content, stand_ins
from apps.operations.operators import make_operator
from apps.operations.provisioning import provision_tenant
from apps.tenants.models import Application, Tenant
from apps.tenants.queries import find_application
from apps.tenants.scope import tenant_scope

EMAIL = "demo@example.com"
OPERATOR = "operator@example.com"


@dataclass(frozen=True, slots=True)
class Demo:
    """What the greeting prints; all of it secret."""

    email: str
    password: str
    application_id: str
    key: str
    secret: str
    api_key: str
    operator_password: str = ""


def _file() -> Path:
    return Path(settings.HOME) / "demo.json"


def ensure() -> None:
    """Makes the demo tenant once. A home that already has people in it is left alone."""
    if User.objects.exists():
        return
    with transaction.atomic():
        demo = _make()
        _remember(demo)  # before the commit: a crash in between leaves a file to overwrite, never an unknown password


def _make() -> Demo:
    password = secrets.token_urlsafe(12)
    made = provision_tenant(
        name="Demo", email=EMAIL, password=password, application="Demo app", owner_name="Demo Owner"
    )
    with tenant_scope(Tenant.number_of(made.tenant_id)):
        application = Application.objects.select_related("tenant").get(application_id=made.application_id)
        demo_content.fill(tenant=application.tenant, application=application)
    operator = make_operator(email=OPERATOR, name="Demo Operator")
    return Demo(EMAIL, password, made.application_id, made.key, made.secret, made.api_key, operator.password)


def _remember(demo: Demo) -> None:
    descriptor = os.open(_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(demo), file, indent=2)


def application() -> Application | None:
    """The demo application of this home; None where there is none."""
    if settings.PRODUCTION or not _file().exists():
        return None
    record = find_application(application_id=json.loads(_file().read_text())["application_id"])
    if record is None:
        return None
    with tenant_scope(record.tenant_id):
        return Application.objects.select_related("tenant").get(pk=record.application_pk)


def greeting(url: str) -> list[str]:
    """The lines a newcomer needs: where to sign in, as whom, with which keys. Empty without a demo tenant."""
    if settings.PRODUCTION or not _file().exists():
        return []
    demo = Demo(**json.loads(_file().read_text()))
    return [
        f"sign in      {url}/  as {demo.email}  password {demo.password}",
        "             (a second factor is set up on the first sign-in; any authenticator app will do)",
        f"application  id {demo.application_id}  key {demo.key}  secret {demo.secret}",
        f"API key      {demo.api_key}",
        f"REST API     {url}/api/docs",
        *_phones(url),
        *_operator(demo, url),
        "stop         Ctrl-C",
    ]


def _phones(url: str) -> list[str]:
    if not stand_ins.are_running():
        return []
    return [
        f"phones       {url}/live/phones show what APNs, FCM, Web Push and the phone makers would get:",
        "             local stand-ins for the real networks (PUSHSAAS_STAND_INS=0 uses the real ones)",
    ]


def _operator(demo: Demo, url: str) -> list[str]:
    """Nothing for a home that an older release made."""
    if not demo.operator_password:
        return []
    return [f"operator     {url}/operator/  as {OPERATOR}  password {demo.operator_password}"]
