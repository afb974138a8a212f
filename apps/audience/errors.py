"""What the audience may answer instead of doing it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class SubscriberInvalid(HouseError):
    """`fields` names what is wrong; `details["problem"]` holds the machine code of the first problem."""

    category = Category.INVALID
    code = "subscriber_invalid"
    default_message = _("This subscriber cannot be saved as it is.")


class BatchTooLarge(HouseError):
    category = Category.TOO_LARGE
    code = "subscribers_batch_too_large"
    default_message = _("Send at most 1,000 subscribers at a time.")


class SegmentInvalid(HouseError):
    category = Category.INVALID
    code = "segment_invalid"
    default_message = _("This segment cannot be saved as it is.")


class SegmentRulesInvalid(HouseError):
    """`details["path"]` says where in the tree, as in `all[1].value`."""

    category = Category.INVALID
    code = "segment_rules_invalid"


class SegmentNameTaken(HouseError):
    category = Category.CONFLICT
    code = "segment_name_taken"
    default_message = _("Another segment of this application has this name.")


class AudienceInvalid(HouseError):
    category = Category.INVALID
    code = "audience_invalid"


class ImportFileInvalid(HouseError):
    """`details["problem"]` holds the machine code of what is wrong with the file."""

    category = Category.INVALID
    code = "import_file_invalid"


class ImportFileTooLarge(HouseError):
    category = Category.TOO_LARGE
    code = "import_file_too_large"


class ImportColumnsInvalid(HouseError):
    """`details["column"]` is the index of the column, when one is to blame."""

    category = Category.INVALID
    code = "import_columns_invalid"


class ImportNotPossible(HouseError):
    """The job is not in a state for this, or another import of the application is running."""

    category = Category.CONFLICT
    code = "import_not_possible"


class DeviceInvalid(HouseError):
    category = Category.INVALID
    code = "device_invalid"
    default_message = _("This device cannot be registered as it is.")


class EventInvalid(HouseError):
    """`fields` names what is wrong; `details["problem"]` holds the machine code."""

    category = Category.INVALID
    code = "event_invalid"
    default_message = _("This event cannot be recorded as it is.")


class EventBatchTooLarge(HouseError):
    category = Category.TOO_LARGE
    code = "events_batch_too_large"
    default_message = _("Send at most 1,000 events at a time.")


class CategoryInvalid(HouseError):
    category = Category.INVALID
    code = "category_invalid"
    default_message = _("This category cannot be saved as it is.")


class CategoryKeyTaken(HouseError):
    category = Category.CONFLICT
    code = "category_key_taken"
    default_message = _("Another category of this application has this key.")


class PreferencesInvalid(HouseError):
    category = Category.INVALID
    code = "preferences_invalid"
    default_message = _("These preferences cannot be saved as they are.")
