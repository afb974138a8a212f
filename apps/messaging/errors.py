"""What can be wrong with a template, a message, or the moment somebody asks for something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


@dataclass(frozen=True, slots=True)
class Fault:
    """One place in a content where something is wrong. line and column count from 1 and 0, as editors do."""

    language: str
    field: str
    line: int
    column: int
    message: str


class TemplateInvalid(HouseError):
    category = Category.INVALID
    code = "template_invalid"
    default_message = _("The text does not work as a template.")

    def __init__(self, faults: Sequence[Fault]) -> None:
        fields: dict[str, list[str]] = {}
        for fault in faults:
            text = _("%(message)s (line %(line)s, column %(column)s)") % asdict(fault)
            fields.setdefault(f"content.{fault.language}.{fault.field}", []).append(text)
        super().__init__(fields=fields, details={"faults": [asdict(fault) for fault in faults]})
        self.faults = tuple(faults)


class UnknownVariable(TemplateInvalid):
    code = "unknown_variable"
    default_message = _("The text uses a variable that nobody in the audience has, and gives no default.")


class ContentMissing(HouseError):
    category = Category.INVALID
    code = "content_missing"
    default_message = _("There is nothing to send: give a title or a body in at least one language.")


class ContentTooLarge(HouseError):
    category = Category.TOO_LARGE
    code = "content_too_large"
    default_message = _("The content is too large.")


class TemplateNameTaken(HouseError):
    category = Category.CONFLICT
    code = "template_name_taken"
    default_message = _("There is a template of this name already.")


class TemplateInUse(HouseError):
    category = Category.CONFLICT
    code = "template_in_use"
    default_message = _("A campaign uses this template. Change or delete the campaign first.")


class RouteMissing(HouseError):
    category = Category.INVALID
    code = "route_missing"
    default_message = _("Choose at least one delivery route, each at most once.")


class NobodyNamed(HouseError):
    category = Category.INVALID
    code = "unknown_subscribers"
    default_message = _("Some of these subscribers do not exist.")


class MessageEnded(HouseError):
    category = Category.CONFLICT
    code = "message_ended"
    default_message = _("The message has been sent or cancelled already.")


class TooManyReceipts(HouseError):
    category = Category.TOO_LARGE
    code = "too_many_receipts"
    default_message = _("Report at most 1,000 receipts at once.")


class FollowUpInvalid(HouseError):
    category = Category.INVALID
    code = "follow_up_invalid"
    default_message = _("What should follow the message cannot be done.")


class InboxRequestInvalid(HouseError):
    category = Category.INVALID
    code = "inbox_request_invalid"
    default_message = _("Name 1 to 100 items as {“ids”: […]}, or say {“all”: true}.")


class HandlingInvalid(HouseError):
    """When the next route is asked, how urgent it is, what replaces it."""

    category = Category.INVALID
    code = "handling_invalid"
    default_message = _("This way of handing a message on does not work.")
