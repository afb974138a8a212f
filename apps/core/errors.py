"""The house's errors: a category for machines, a `code` for clients, a sentence for people.

Rooms raise these; each door maps the category once (HTTP status, close code, form message).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _


class Category(StrEnum):
    """What kind of "no" this is. A door needs nothing else to choose its status."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    MISMATCH = "mismatch"
    TOO_LARGE = "too_large"
    LIMITED = "limited"
    PAYMENT_REQUIRED = "payment_required"
    UNAVAILABLE = "unavailable"


class HouseError(Exception):
    """Base of every error a client may see.

    category, code: fixed per class; codes are unique and never renamed (tests hold both).
    message: one translatable sentence. fields: field name -> sentences. details: extra JSON members for the client.
    retry_after: seconds, when trying again later helps.
    """

    category: ClassVar[Category]
    code: ClassVar[str]
    default_message: ClassVar[Any] = ""

    def __init__(
        self,
        message: Any = None,
        *,
        fields: Mapping[str, list[Any]] | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message if message is not None else self.default_message
        self.fields = dict(fields or {})
        self.details = dict(details or {})
        self.retry_after = retry_after
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidInput(HouseError):
    category = Category.INVALID
    code = "invalid_input"
    default_message = _("Some of what was sent cannot be used.")


class NotFound(HouseError):
    """Also the answer for another tenant's object: its existence is not ours to tell."""

    category = Category.NOT_FOUND
    code = "not_found"
    default_message = _("This does not exist, or it belongs to somebody else.")
