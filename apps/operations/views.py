"""The operators' endpoints. Route none of them to the public."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.operations import health, metrics


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process turns. It says nothing about PostgreSQL or Valkey: their outage must not restart us."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when this process may take traffic, else 503 with the checks that failed."""
    checks = health.readiness()
    failed = [check for check in checks if check.problem]
    body = {
        "status": "unready" if failed else "ready",
        "checks": {check.name: check.problem or "ok" for check in checks},
    }
    return JsonResponse(body, status=503 if failed else 200)


@require_safe
@never_cache
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Prometheus text: this process's counters and what the worker measured last."""
    return HttpResponse(generate_latest(metrics.registry()), content_type=CONTENT_TYPE_LATEST)
