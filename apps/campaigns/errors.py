"""What can be wrong with a campaign or with the moment somebody asks for something."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class CampaignWrongState(HouseError):
    category = Category.CONFLICT
    code = "campaign_wrong_state"
    default_message = _("The campaign is not in a state that allows this.")

    def __init__(self, status: str) -> None:
        super().__init__(details={"status": status})


class ScheduleInPast(HouseError):
    category = Category.INVALID
    code = "schedule_in_past"
    default_message = _("This time has passed. Choose a later one, or send now.")


class ScheduleTooFar(HouseError):
    category = Category.INVALID
    code = "schedule_too_far"
    default_message = _("Choose a time within a year from now.")


class ScheduleInvalid(HouseError):
    category = Category.INVALID
    code = "schedule_invalid"
    default_message = _("This schedule does not work.")


class SendingRuleInvalid(HouseError):
    """Quiet hours, throttle, frequency cap or category of a campaign."""

    category = Category.INVALID
    code = "sending_rule_invalid"
    default_message = _("This rule for sending does not work.")


class EmptyAudience(HouseError):
    category = Category.INVALID
    code = "empty_audience"
    default_message = _("Nobody is in this audience.")
