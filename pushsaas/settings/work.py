"""Celery: an envelope carrier. Business time lives in PostgreSQL, so a lost or repeated task is harmless."""

from pushsaas import env
from pushsaas.settings.base import HOME_REGION, VALKEY_URLS

CELERY_BROKER_URL = VALKEY_URLS[HOME_REGION].replace("unix://", "redis+socket://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT, CELERY_TASK_SOFT_TIME_LIMIT = 90, 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 45.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_CREATE_MISSING_QUEUES = True
#: The shortest visibility timeout of all apps on one broker wins, so it is set in every place that has one.
CELERY_VISIBILITY_TIMEOUT = 300
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 30,
    "socket_keepalive": not VALKEY_URLS[HOME_REGION].startswith("unix://"),
    "health_check_interval": 25,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "celery:",
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": 300}

#: Task -> seconds between two rings. Beat only rings; any number of beats may. What is due stands in PostgreSQL.
_RINGS = {
    "campaigns.tick": 1,
    "campaigns.watch": 1,
    "billing.ingest": 1,
    "billing.count_calls": 5,
    "billing.watch": 5,
    "billing.month_end": 15,
    "billing.open_months": 3_600,
    "billing.forget": 3_600,
    "messaging.tick": 1,
    "messaging.count_reached": 15,
    "messaging.sweep_inboxes": 10,
    "messaging.withdraw_pushes": 5,
    "messaging.attribute_conversions": 15,
    "messaging.fold_tallies": 10,
    "webhooks.collect": 1,
    "webhooks.deliver": 1,
    "webhooks.tidy": 60,
    "operations.measure": 5,
    "audience.wake_imports": 10,
    "audience.take_socket_events": 2,
    "messaging.take_socket_receipts": 1,
    "audience.forget_old_events": 900,
    "accounts.deliver_mail": 30,
    "api.forget_idempotency_keys": 900,
    "tenants.forget_expired_tokens": 60,
    "providers.warn_of_ends": 21_600,
    "accounts.sweep": 3_600,
}
#: A ring that nobody heard in time expires.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    task: {"task": task, "schedule": float(seconds), "options": {"expires": min(seconds, 3_600)}}
    for task, seconds in _RINGS.items()
}

#: Seconds a worker may hold a chunk without renewing; longer than any provider's deadline. After a crash the deliveries
#: in flight wait that long to be called unknown.
SENDING_LEASE = env.number("SENDING_LEASE", 30)
#: How many whole months of behaviour events are kept beside the current one.
EVENT_MONTHS = env.number("EVENT_MONTHS", 13)
#: Delivery providers of this installation's own: `name=package.module:callable`.
PROVIDERS = env.words("PROVIDERS")
