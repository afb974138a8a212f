"""The verbs of campaigns. All expect the tenant's scope to be open, but those of the ticks (running.py)."""

from apps.campaigns.services.changing import update_campaign
from apps.campaigns.services.editing import (
    create_campaign,
    delete_campaign,
    duplicate_campaign,
    set_default_quiet_hours,
)
from apps.campaigns.services.fuses import set_fuse
from apps.campaigns.services.launching import schedule_campaign
from apps.campaigns.services.scheduling import (
    cancel_campaign,
    pause_campaign,
    recall_campaign,
    resume_campaign,
    send_test,
)
from apps.campaigns.services.winners import choose_winner

__all__ = [
    "cancel_campaign",
    "choose_winner",
    "create_campaign",
    "delete_campaign",
    "duplicate_campaign",
    "pause_campaign",
    "recall_campaign",
    "resume_campaign",
    "schedule_campaign",
    "send_test",
    "set_default_quiet_hours",
    "set_fuse",
    "update_campaign",
]
