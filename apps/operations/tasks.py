"""The operators' ticks."""

from celery import shared_task

from apps.operations import metrics


@shared_task(name="operations.measure")
def measure(**_unknown: object) -> None:
    """Measures the queues for /metrics; its result's age is the canary of beat and worker."""
    metrics.measure()
