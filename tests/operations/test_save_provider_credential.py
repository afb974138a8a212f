"""`manage.py save_provider_credential`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.providers.credentials import open_credentials
from apps.providers.models import ProviderCredential
from apps.providers.webpush.vapid import new_private_key
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db


def _save(application: Application, *values: str, provider: str = "webpush") -> dict[str, object]:
    output = StringIO()
    arguments = [argument for value in values for argument in ("--value", value)]
    call_command(
        "save_provider_credential", "--application-id", application.application_id, "--provider", provider,
        "--name", "Browsers", *arguments, stdout=output,
    )  # fmt: skip
    said: dict[str, object] = json.loads(output.getvalue())
    return said


def test_a_credential_is_kept_and_its_secret_not_printed(application: Application, tmp_path: Path) -> None:
    key = new_private_key()
    (tmp_path / "key").write_text(key + "\n")
    said = _save(application, f"private_key=@{tmp_path / 'key'}", "subject=mailto:push@shop.example")
    assert said["shown"] == {"subject": "mailto:push@shop.example"}
    with tenant_scope(application.tenant_id):
        [opened] = open_credentials(tenant=application.tenant, application=application, provider="webpush")
    assert (opened.id, opened.values["private_key"]) == (said["id"], key)


@pytest.mark.parametrize(
    ("values", "provider", "said"),
    [
        (["subject=mailto:a@b.example"], "webpush", "fields: private_key, subject"),
        (["private_key=AAAA", "subject=mailto:a@b.example"], "webpush", "private_key: This is not a P-256"),
        (["private_key"], "webpush", "write FIELD=TEXT"),
        (["private_key=@/nowhere/at-all"], "webpush", "No such file"),
        ([], "ravens", "unknown_provider"),
    ],
)
def test_what_cannot_be_kept_is_said(application: Application, values: list[str], provider: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        _save(application, *values, provider=provider)
    with tenant_scope(application.tenant_id):
        assert not ProviderCredential.objects.of(application.tenant_id).exists()
