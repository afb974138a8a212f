"""How a tenant stands with the installation, and what that leaves it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Standing(models.TextChoices):
    """From best to worst. OVERDUE is only shown; RESTRICTED starts no campaign; SUSPENDED publishes and sends nothing.

    What was accepted before is sent, and pages, reports and payment stay open in each.
    """

    GOOD = "good", _("good")
    OVERDUE = "overdue", _("overdue")
    RESTRICTED = "restricted", _("restricted")
    SUSPENDED = "suspended", _("suspended")


_ORDER = tuple(Standing)


def worst(*standings: str) -> Standing:
    return max((Standing(each) for each in standings), key=_ORDER.index, default=Standing.GOOD)
