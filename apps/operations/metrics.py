"""What Prometheus scrapes. No tenant, application, channel or person is ever a label.

Counters live in the process that counts. Gauges about queues need to look across tenants, which only the worker may: it
measures each few seconds, leaves the figures in Valkey, and any web process shows them. Their age is the canary: when
it grows, beat or every worker has stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.core import valkey

_KEY = "ops:gauges"
#: name -> (help text, reader). Readers run in the worker, outside any scope, and open what they need.
_GAUGES: dict[str, tuple[str, Callable[[], float]]] = {}


def register_gauge(name: str, help_text: str, reader: Callable[[], float]) -> None:
    """Adds a gauge `pushsaas_<name>` that the worker measures."""
    _GAUGES[name] = (help_text, reader)


def measure() -> None:
    """Reads every gauge and leaves the figures for the scrapers. Runs in the worker."""
    figures = {name: reader() for name, (_, reader) in _GAUGES.items()}
    document = json.dumps({"at": time.time(), "gauges": figures})
    valkey.connect(settings.HOME_REGION).set(_KEY, document, ex=3600)


def measured() -> dict[str, float]:
    """The figures that the worker left last, by name. Empty when Valkey is away or nothing was measured."""
    document = _left()
    return document["gauges"] if document else {}


def _left() -> Any:
    try:
        stored: Any = valkey.connect(settings.HOME_REGION).get(_KEY)
    except redis.RedisError:
        return None
    return json.loads(stored) if stored is not None else None


class _WorkerGauges(Collector):
    """A collector: what `measure` left, and how old it is. Nothing when Valkey is away (alert on absence)."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        document = _left()
        if document is None:
            return
        age = max(0.0, time.time() - document["at"])
        yield GaugeMetricFamily("pushsaas_canary_age_seconds", "Since the worker last measured.", age)
        for name, value in document["gauges"].items():
            help_text, _ = _GAUGES.get(name, ("Measured by a newer release.", None))
            yield GaugeMetricFamily(f"pushsaas_{name}", help_text, value)


@lru_cache(maxsize=1)
def registry() -> CollectorRegistry:
    """The process's registry with the worker's gauges in it."""
    REGISTRY.register(_WorkerGauges())
    return REGISTRY
