"""What tenants, applications and keys may refuse."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class ApplicationIdTaken(HouseError):
    category = Category.CONFLICT
    code = "application_id_taken"
    default_message = _("This application id is already in use.")


class CredentialKeyTaken(HouseError):
    category = Category.CONFLICT
    code = "credential_key_taken"
    default_message = _("This application key is already in use.")


class TooManyCredentials(HouseError):
    category = Category.CONFLICT
    code = "too_many_credentials"
    default_message = _("This application has as many keys as it may. Revoke one first.")


class ScopeNotAllowed(HouseError):
    category = Category.FORBIDDEN
    code = "scope_not_allowed"
    default_message = _("A key cannot give more than its maker may do.")
