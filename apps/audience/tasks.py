"""Envelopes of the audience. `audience.continue_import` is rung for by name from services/imports.py."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.audience.services.events import forget_old_events
from apps.audience.services.intake import continue_import, wake_imports
from apps.audience.services.socket_events import take_socket_events


@shared_task(name="audience.continue_import")
def continue_import_task(tenant_id: int, import_id: int, **_unknown: object) -> None:
    continue_import(tenant_id=tenant_id, import_id=import_id)


@shared_task(name="audience.wake_imports")
def wake_imports_task(**_unknown: object) -> None:
    wake_imports()


@shared_task(name="audience.take_socket_events")
def take_socket_events_task(**_unknown: object) -> None:
    for region in settings.VALKEY_URLS:
        take_socket_events(region=region)


@shared_task(name="audience.forget_old_events")
def forget_old_events_task(**_unknown: object) -> None:
    forget_old_events()
