"""What can be wrong with the choice of a provider."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class UnknownProvider(HouseError):
    category = Category.INVALID
    code = "unknown_provider"
    default_message = _("There is no such delivery route.")


class CredentialInvalid(HouseError):
    """One field of a provider credential cannot be used, or the network refused the whole (field `__all__`)."""

    category = Category.INVALID
    code = "provider_credential_invalid"
    default_message = _("This credential cannot be used.")

    def __init__(self, field: str, problem: Any) -> None:
        super().__init__(fields={field: [problem]})
