"""The verbs of messaging. All expect the tenant's scope to be open."""

from apps.messaging.services.messages import (
    accept_message,
    cancel_message,
    open_message,
    pause_message,
    require_first_routes,
    require_follow_up,
    require_handling,
    require_routes,
    resume_message,
)
from apps.messaging.services.receipts import record_receipts, record_reports, record_signed_reports
from apps.messaging.services.templates import create_template, delete_template, update_template

__all__ = [
    "accept_message",
    "cancel_message",
    "create_template",
    "delete_template",
    "open_message",
    "pause_message",
    "record_receipts",
    "record_reports",
    "record_signed_reports",
    "require_first_routes",
    "require_follow_up",
    "require_handling",
    "require_routes",
    "resume_message",
    "update_template",
]
