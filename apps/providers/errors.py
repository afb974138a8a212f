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


class NetworkSilent(HouseError):
    """The credential may be good: the network did not say."""

    category = Category.UNAVAILABLE
    code = "provider_silent"
    default_message = _("The network could not be asked about this credential. Try again later.")


class UnknownField(HouseError):
    category = Category.INVALID
    code = "provider_credential_fields"
    default_message = _("A credential for this delivery route has other fields.")


class CredentialRetired(HouseError):
    category = Category.CONFLICT
    code = "provider_credential_retired"
    default_message = _("This credential is retired for good. Save a new one.")
