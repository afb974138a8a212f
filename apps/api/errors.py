"""What the door itself may refuse, before any room is asked. What the data plane refuses too has its class there."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class Unauthenticated(HouseError):
    category = Category.UNAUTHENTICATED
    code = "unauthenticated"
    default_message = _("Send a live API key or OAuth token: Authorization: Bearer …")


class MalformedBody(HouseError):
    category = Category.INVALID
    code = "malformed_json"
    default_message = _("The body is not JSON that can be read.")


class RateLimited(HouseError):
    category = Category.LIMITED
    code = "rate_limited"
    default_message = _("Too many requests. Try again a little later.")


class InvalidPage(HouseError):
    category = Category.INVALID
    code = "invalid_page"
    default_message = _("This page cannot be asked for.")


class InvalidIdempotencyKey(HouseError):
    category = Category.INVALID
    code = "invalid_idempotency_key"
    default_message = _("An Idempotency-Key has 1 to 255 printable ASCII characters.")


class IdempotencyKeyReused(HouseError):
    category = Category.MISMATCH
    code = "idempotency_key_reused"
    default_message = _("This Idempotency-Key was used with another request.")


class IdempotencyKeyBusy(HouseError):
    category = Category.CONFLICT
    code = "idempotency_key_busy"
    default_message = _("A request with this Idempotency-Key is still running.")


class InvalidBatch(HouseError):
    category = Category.INVALID
    code = "invalid_batch"
    default_message = _("Send one receipt, or 1 to 100 as {“receipts”: […]}.")


class SubscriberUnauthenticated(HouseError):
    category = Category.UNAUTHENTICATED
    code = "subscriber_unauthenticated"
    default_message = _("Send a live token of the subscriber: Authorization: Bearer …")
