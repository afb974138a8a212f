"""The data plane's counters for Prometheus. No tenant, application or channel is ever a label; close codes are ours."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from apps.realtime.counters import Counters

PUBLISHED = Counter("pushsaas_realtime_published", "Publications accepted, one per event and channel")
DELIVERED = Counter("pushsaas_realtime_delivered", "Frames accepted into subscribers' queues")
DROPPED = Counter("pushsaas_realtime_dropped", "Connections closed because they read too slowly")
SKIPPED = Counter("pushsaas_realtime_skipped", "Publications left out for slow readers that want only the newest")
CONNECTIONS = Gauge("pushsaas_realtime_connections", "Open WebSocket connections of this process")
BROKER_SILENCE = Gauge("pushsaas_realtime_broker_silence_seconds", "Since the broker last delivered anything")
GAPS = Counter("pushsaas_realtime_gaps", "Channels that missed something: noticed, then repaired or told", ["outcome"])
RESUMES = Counter("pushsaas_realtime_resumes", "Subscriptions that came back with a position", ["outcome"])
CLOSED = Counter("pushsaas_realtime_closed", "Connections that the gateway closed", ["code"])
LOOP_LAG = Gauge("pushsaas_realtime_loop_lag_seconds", "How late the event loop came to a task that was due")
QUEUED_BYTES = Gauge("pushsaas_realtime_queued_bytes", "Bytes that clients have yet to take")
PROBE_TIMEOUTS = Gauge("pushsaas_realtime_probe_timeouts", "Delivery probes that never came back")


def add(counters: Counters) -> None:
    PUBLISHED.inc(counters.published)
    DELIVERED.inc(counters.delivered)
    DROPPED.inc(counters.dropped)
    SKIPPED.inc(counters.skipped)
