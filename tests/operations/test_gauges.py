"""The worker's figures reach the scraper."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.billing.models import UnmatchedUsage
from apps.operations import metrics


@pytest.mark.django_db
def test_usage_that_waits_and_usage_of_nobody_are_gauges(clean_valkey: None, as_worker: None, client: Client) -> None:
    UnmatchedUsage.objects.create(source="rt:a:1:1", reason="unknown_tenant", record="{}")
    metrics.measure()
    scraped = client.get("/metrics").content.decode()
    assert "pushsaas_usage_backlog 0.0" in scraped
    assert "pushsaas_usage_unmatched 1.0" in scraped
