"""What the import linter cannot see: relations, names that leave the process, and who looks across tenants."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path

import pytest
from celery import Task
from django.apps import apps as registry
from django.conf import settings
from django.core.management import call_command
from django.db import models

import apps
from apps.core.errors import Category, HouseError
from apps.tenants.models import TenantManager, TenantOwned
from pushsaas.celery import app as celery_app

ROOT = Path(settings.BASE_DIR)
SOURCES = sorted(path for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts)
#: Every place that looks across tenants, and how often. A new one is added here by somebody who has thought about it.
ACROSS_TENANTS = {
    "apps/api/idempotency.py": 1,
    "apps/audience/services/events.py": 1,
    "apps/audience/services/watching.py": 1,
    "apps/campaigns/journeys/engine.py": 1,
    "apps/audience/services/intake.py": 1,
    "apps/billing/management/commands/check_invariants.py": 1,
    "apps/billing/services/calls.py": 1,
    "apps/billing/services/alerts.py": 1,
    "apps/billing/services/allowances.py": 1,
    "apps/billing/services/credits.py": 1,
    "apps/billing/services/dunning.py": 1,
    "apps/billing/services/month_end.py": 2,
    "apps/billing/services/refunds.py": 1,
    "apps/billing/services/reservations.py": 1,
    "apps/billing/services/retention.py": 1,
    "apps/billing/services/watching.py": 1,
    "apps/campaigns/journeys/fusing.py": 1,
    "apps/campaigns/planning.py": 2,
    "apps/campaigns/services/fuses.py": 1,
    "apps/campaigns/services/running.py": 2,
    "apps/campaigns/services/winners.py": 1,
    "apps/dashboard/current.py": 1,
    "apps/messaging/ledger/activity.py": 1,
    "apps/messaging/receipts/conversions.py": 1,
    "apps/messaging/ledger/claiming.py": 1,
    "apps/messaging/sending/fusing.py": 1,
    "apps/messaging/ledger/reconciling.py": 1,
    "apps/messaging/services/inbox.py": 1,
    "apps/messaging/ledger/tallies.py": 1,
    "apps/messaging/upkeep.py": 2,
    "apps/messaging/sending/withdrawing.py": 1,
    "apps/operations/admin/base.py": 1,
    "apps/operations/management/commands/check_billing.py": 1,
    "apps/operations/management/commands/check_ledger.py": 1,
    "apps/providers/expiring.py": 1,
    "apps/tenants/queries.py": 5,
    "apps/tenants/services/invitations.py": 1,
    "apps/tenants/services/oauth_clients.py": 1,
    "apps/webhooks/outbox.py": 1,
    "apps/webhooks/services/upkeep.py": 2,
}


def layers() -> dict[str, int]:
    """App -> how high it stands in the house; siblings stand equally high."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    rows = enumerate(reversed(contract["layers"]))
    return {name.strip(): height for height, row in rows for name in row.split("|")}


def our_models() -> list[type[models.Model]]:
    return [model for model in registry.get_models() if model.__module__.startswith("apps.")]


def calls(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def our_tasks() -> dict[str, Task]:
    """Wire name -> task, of our own tasks."""
    celery_app.loader.import_default_modules()
    return {name: task for name, task in celery_app.tasks.items() if task.run.__module__.startswith("apps.")}


def error_classes() -> list[type[HouseError]]:
    for module in pkgutil.walk_packages(apps.__path__, "apps."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    found, pending = [], [HouseError]
    while pending:
        children = [kind for kind in pending.pop().__subclasses__() if kind.__module__.startswith("apps.")]
        found += children
        pending += children
    return found


def test_every_app_has_its_place_in_the_house() -> None:
    assert set(layers()) == {config.label for config in registry.get_app_configs() if config.name.startswith("apps.")}


def test_relations_point_down() -> None:
    height = layers()
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in our_models()
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many)
        if field.is_relation
        and field.related_model._meta.app_label in height
        and field.related_model._meta.app_label != model._meta.app_label
        and height[field.related_model._meta.app_label] >= height[model._meta.app_label]
    ]
    assert upward == []


def test_every_tenant_owned_model_is_reached_through_a_scope() -> None:
    unscoped = [
        model._meta.label
        for model in our_models()
        if "tenant_id" in {field.attname for field in model._meta.concrete_fields}
        and not (issubclass(model, TenantOwned) and isinstance(model._meta.default_manager, TenantManager))
    ]
    assert unscoped == []


@pytest.mark.django_db
def test_migrations_say_all_that_the_models_do() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_have_names() -> None:
    automatic = [path.name for path in (ROOT / "apps").rglob("migrations/*_auto_*.py")]
    assert automatic == []


def test_task_names_are_explicit_and_unique_and_begin_with_their_context() -> None:
    tasks = our_tasks()
    assert [name for name, task in tasks.items() if name.split(".")[0] != task.run.__module__.split(".")[1]] == []
    # Of two tasks with one name the registry keeps the later and says nothing.
    assert len(tasks) == sum(path.read_text().count("\n@shared_task(") for path in SOURCES)


def test_tasks_tolerate_the_arguments_of_another_release() -> None:
    kinds = {name: [p.kind for p in signature(task.run).parameters.values()] for name, task in our_tasks().items()}
    assert [name for name, parameters in kinds.items() if Parameter.VAR_KEYWORD not in parameters] == []


def test_the_beat_rings_only_tasks_that_exist_and_lets_old_rings_expire() -> None:
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in our_tasks()
        assert entry["options"]["expires"] <= entry["schedule"]


def test_error_codes_are_explicit_and_unique() -> None:
    kinds = error_classes()
    assert [kind.__name__ for kind in kinds if not isinstance(vars(kind).get("code"), str)] == []
    assert [kind.__name__ for kind in kinds if not isinstance(getattr(kind, "category", None), Category)] == []
    assert [code for code, count in Counter(kind.code for kind in kinds).items() if count > 1] == []


def test_looking_across_tenants_is_counted() -> None:
    found = {str(path.relative_to(ROOT)): sum(1 for _ in calls(path, "all_tenants")) for path in SOURCES}
    assert {path: count for path, count in found.items() if count} == ACROSS_TENANTS
