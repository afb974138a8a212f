"""What the data plane refuses. The HTTP door maps categories to the statuses Pusher's servers answer with."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class BadEvent(HouseError):
    """A publication that no channel may carry."""

    category: ClassVar[Category] = Category.INVALID
    code: ClassVar[str] = "bad_event"


class BadChannel(HouseError):
    category: ClassVar[Category] = Category.INVALID
    code: ClassVar[str] = "bad_channel"
    default_message = _("A channel name has at most 164 of the characters a-z A-Z 0-9 _ - = @ , . ;")


class BadRequest(HouseError):
    category: ClassVar[Category] = Category.INVALID
    code: ClassVar[str] = "bad_request"


class EventTooLarge(HouseError):
    category: ClassVar[Category] = Category.TOO_LARGE
    code: ClassVar[str] = "event_too_large"
    default_message = _("The data of this event is larger than the application allows.")


class BodyTooLarge(HouseError):
    category: ClassVar[Category] = Category.TOO_LARGE
    code: ClassVar[str] = "body_too_large"
    default_message = _("The request body is larger than any valid request.")


class NotAuthentic(HouseError):
    """A signature or Bearer key that does not prove who asks."""

    category: ClassVar[Category] = Category.UNAUTHENTICATED
    code: ClassVar[str] = "not_authentic"
    default_message = _("The request is not signed and carries no valid API key.")


class ScopeMissing(HouseError):
    category: ClassVar[Category] = Category.FORBIDDEN
    code: ClassVar[str] = "scope_missing"
    default_message = _("This API key does not carry the scope that the call needs.")


class UnknownApplication(HouseError):
    category: ClassVar[Category] = Category.NOT_FOUND
    code: ClassVar[str] = "unknown_application"
    default_message = _("There is no such application.")


class UnknownPath(HouseError):
    category: ClassVar[Category] = Category.NOT_FOUND
    code: ClassVar[str] = "unknown_path"
    default_message = _("There is nothing at this path.")


class UnknownSession(HouseError):
    """The HTTP session ended, or never began. pusher-js starts another one."""

    category: ClassVar[Category] = Category.NOT_FOUND
    code: ClassVar[str] = "unknown_session"
    default_message = _("There is no such session.")


class ApplicationDisabled(HouseError):
    category: ClassVar[Category] = Category.FORBIDDEN
    code: ClassVar[str] = "application_disabled"
    default_message = _("This application is disabled.")


class SwitchedOff(HouseError):
    """details["setting"]: the application's setting that would allow it."""

    category: ClassVar[Category] = Category.FORBIDDEN
    code: ClassVar[str] = "switched_off"
    default_message = _("This is switched off for the application.")

    def __init__(self, setting: str) -> None:
        super().__init__(details={"setting": setting})


class TlsRequired(HouseError):
    category: ClassVar[Category] = Category.FORBIDDEN
    code: ClassVar[str] = "tls_required"
    default_message = _("This application takes encrypted connections only: use https.")


class AllowanceSpent(HouseError):
    """The tenant's message quota is used up. The Pusher door says `quota_exceeded`, as billing does."""

    category: ClassVar[Category] = Category.FORBIDDEN
    code: ClassVar[str] = "message_allowance_spent"
    default_message = _("The message quota of this account is used up.")


class AllowanceUnavailable(HouseError):
    category: ClassVar[Category] = Category.UNAVAILABLE
    code: ClassVar[str] = "allowance_unavailable"
    default_message = _("The quota of this account cannot be read just now. Try again in a moment.")


class ConnectionQuota(HouseError):
    category: ClassVar[Category] = Category.LIMITED
    code: ClassVar[str] = "connection_quota"
    default_message = "Application is over its connection quota."


class PublishRateExceeded(HouseError):
    category: ClassVar[Category] = Category.LIMITED
    code: ClassVar[str] = "publish_rate_exceeded"
    default_message = _("This application publishes faster than it may.")


class BrokerUnavailable(HouseError):
    """Valkey does not answer. Nothing was acknowledged; an idempotent publish may be repeated."""

    category: ClassVar[Category] = Category.UNAVAILABLE
    code: ClassVar[str] = "broker_unavailable"
    default_message = _("The message broker is not reachable just now. Try again in a moment.")
