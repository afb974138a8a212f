"""What can be wrong with a webhook endpoint or with the moment somebody asks for something."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class UrlRefused(HouseError):
    """`details["reason"]`: as of `apps.core.egress.AddressRefused`."""

    category = Category.INVALID
    code = "webhook_url_refused"
    default_message = _("This address cannot be called from here. Use a public https address.")

    def __init__(self, reason: str) -> None:
        super().__init__(fields={"url": [self.default_message]}, details={"reason": reason})


class EventsInvalid(HouseError):
    category = Category.INVALID
    code = "webhook_events_invalid"
    default_message = _("Choose at least one event, each one that exists.")

    def __init__(self) -> None:
        super().__init__(fields={"events": [self.default_message]})


class BatchInvalid(HouseError):
    category = Category.INVALID
    code = "webhook_batch_invalid"
    default_message = _("A call takes %(lowest)d to %(highest)d of these.")

    def __init__(self, field: str, bounds: tuple[int, int]) -> None:
        lowest, highest = bounds
        super().__init__(fields={field: [self.default_message % {"lowest": lowest, "highest": highest}]})


class TooManyEndpoints(HouseError):
    category = Category.CONFLICT
    code = "too_many_webhooks"
    default_message = _("An application has at most 20 webhooks.")


class EndpointDisabled(HouseError):
    category = Category.CONFLICT
    code = "webhook_disabled"
    default_message = _("The webhook is disabled. Enable it first.")


class StillPending(HouseError):
    category = Category.CONFLICT
    code = "webhook_delivery_pending"
    default_message = _("This delivery is still being tried.")
