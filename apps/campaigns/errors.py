"""What can be wrong with a campaign or with the moment somebody asks for something."""

from __future__ import annotations

from typing import Any

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


class JourneyInvalid(HouseError):
    """path: where in the definition, as in `steps[2].ways[0].next`."""

    category = Category.INVALID
    code = "journey_invalid"
    default_message = _("This journey does not work.")

    def __init__(self, path: str, message: Any, **details: Any) -> None:
        self.path = path
        super().__init__(message, fields={f"definition.{path}" if path else "definition": [message]},
                         details={"path": path, **details})  # fmt: skip


class JourneyWrongState(HouseError):
    category = Category.CONFLICT
    code = "journey_wrong_state"
    default_message = _("The journey is not in a state that allows this.")

    def __init__(self, status: str) -> None:
        super().__init__(details={"status": status})


class JourneyEntryRefused(HouseError):
    """The re-entry rule says no."""

    category = Category.CONFLICT
    code = "journey_entry_refused"
    default_message = _("This person is in the journey, or was there too recently to come in again.")


class CampaignChanged(HouseError):
    category = Category.CONFLICT
    code = "campaign_changed"
    default_message = _("Somebody has changed this campaign meanwhile. Look at it again before you save.")

    def __init__(self, version: int) -> None:
        super().__init__(details={"version": version})


class ResumeUnconfirmed(HouseError):
    """It stands still because too much went wrong."""

    category = Category.CONFLICT
    code = "resume_unconfirmed"
    default_message = _("This was paused because too much went wrong. Confirm that it shall go on.")

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})


class ExperimentInvalid(HouseError):
    category = Category.INVALID
    code = "experiment_invalid"
    default_message = _("This experiment does not work.")


class WinnerChosen(HouseError):
    category = Category.CONFLICT
    code = "winner_chosen"
    default_message = _("Nobody waits for a winner of this experiment.")


class ApprovalMissing(HouseError):
    category = Category.CONFLICT
    code = "approval_missing"
    default_message = _("A second person must approve this as it is now.")


class ApprovalOutdated(HouseError):
    category = Category.CONFLICT
    code = "approval_outdated"
    default_message = _("The plan is not the one you were shown. Look at it again.")


class SelfApproval(HouseError):
    category = Category.FORBIDDEN
    code = "self_approval"
    default_message = _("Whoever asks for an approval cannot give it.")


class ComparisonInvalid(HouseError):
    category = Category.INVALID
    code = "comparison_invalid"
    default_message = _("Choose 2 to 8 runs that have started.")
