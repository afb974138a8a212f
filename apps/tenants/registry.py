"""The doorbell of the data plane's registry: says that an application, credential or API key has changed."""

from __future__ import annotations

import logging
from functools import partial

import redis
from django.db import transaction

from apps.core import valkey
from apps.tenants.models import Application

CHANNEL = "registry:changed"

logger = logging.getLogger(__name__)


def announce_change(application: Application) -> None:
    """After commit. A doorbell nobody hears does no harm: cached registries expire by themselves within seconds."""
    region, application_id = application.tenant.home_region, application.application_id
    transaction.on_commit(partial(_ring, region, application_id))


def _ring(region: str, application_id: str) -> None:
    try:
        valkey.connect(region).publish(CHANNEL, application_id)
    except redis.RedisError:
        logger.warning("registry.doorbell_failed application_id=%s", application_id)
