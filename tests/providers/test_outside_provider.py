"""A provider from a wheel of its own: installed beside the product, found, given a credential, used."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.providers import registry
from apps.providers.base import Notification, Outcome, Result, Scope, Sender
from apps.providers.credentials import open_credentials, save_credential
from apps.providers.errors import CredentialInvalid
from apps.providers.registry import limits_of, needs_of, open_provider, provider_names
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.providers.factories import make_push

pytestmark = pytest.mark.django_db
SOURCE = Path(__file__).parent / "outside"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the source."""
    work = tmp_path_factory.mktemp("wheel")
    copy = work / "source"
    subprocess.run(["cp", "-r", SOURCE, copy], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", work, copy]
    subprocess.run(command, check=True, env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    [built] = work.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The wheel's files on the path of this process only: what installing it would do, without touching the others."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    registry._places.cache_clear()
    registry._factory.cache_clear()
    yield
    monkeypatch.undo()
    sys.modules.pop("pushsaas_pigeons", None)
    registry._places.cache_clear()
    registry._factory.cache_clear()


def test_it_is_not_there_before_it_is_installed() -> None:
    assert "pigeons" not in provider_names()


@pytest.mark.usefixtures("installed")
def test_it_is_found_and_says_what_it_needs() -> None:
    assert "pigeons" in provider_names()
    assert [field.name for field in needs_of("pigeons").fields] == ["loft", "whistle"]


@pytest.mark.usefixtures("installed")
def test_it_sends_for_a_tenant_with_a_credential_it_has_checked(tenant: Tenant, application: Application) -> None:
    def save(loft: str) -> None:
        save_credential(
            tenant=tenant, application=application, provider="pigeons", name="Loft",
            values={"loft": loft, "whistle": "secret"},
        )  # fmt: skip

    with pytest.raises(CredentialInvalid):
        save("moon")
    save("north")
    with tenant_scope(tenant):
        credentials = open_credentials(tenant=tenant, application=application, provider="pigeons")
    provider = open_provider("pigeons", Sender("local", tenant.pk, application.application_id, credentials))
    heavy = make_push(2, notification=Notification("x", "y" * 101))
    outcomes = provider.send([make_push(1), heavy, make_push(3)])
    assert [_words(outcome) for outcome in outcomes] == [
        (Result.ACCEPTED, Scope.NONE, None),
        (Result.REJECTED, Scope.MESSAGE, None),
        (Result.THROTTLED, Scope.PROVIDER, 3600),
    ]


@pytest.mark.usefixtures("installed")
def test_it_takes_back_and_says_what_a_day_takes(tenant: Tenant, application: Application) -> None:
    assert needs_of("pigeons").withdraws
    provider = open_provider("pigeons", Sender("local", tenant.pk, application.application_id))
    assert provider.withdraw(["ring-123456", "letter"]) == 1  # type: ignore[attr-defined]  # it says that it has it
    assert limits_of("pigeons").per_day == 42


def test_the_guide_shows_the_package_that_is_tested_and_stays_short() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "adding-a-provider.md").read_text()
    source = (SOURCE / "pushsaas_pigeons" / "__init__.py").read_text()
    shown = "\n".join(re.findall(r"```python\n(.*?)```", guide, re.DOTALL))
    lines = {line.strip() for line in source.splitlines() if line.strip() and not line.startswith(('"""', "LOFTS"))}
    assert lines - {line.partition("  #")[0].strip() for line in shown.splitlines()} == set()
    assert len(source.splitlines()) < 100


def _words(outcome: Outcome) -> tuple[Result, Scope, float | None]:
    return outcome.result, outcome.scope, outcome.retry_after
