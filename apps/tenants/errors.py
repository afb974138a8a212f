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


class OAuthClientRevoked(HouseError):
    category = Category.UNAUTHENTICATED
    code = "oauth_client_revoked"
    default_message = _("This OAuth client was revoked.")


class LastOwner(HouseError):
    category = Category.CONFLICT
    code = "last_owner"
    default_message = _("An organisation needs at least one owner. Make somebody else an owner first.")


class RoleNotGrantable(HouseError):
    category = Category.FORBIDDEN
    code = "role_not_grantable"
    default_message = _("Only an owner may make, change or remove an owner.")


class AlreadyMember(HouseError):
    category = Category.CONFLICT
    code = "already_member"
    default_message = _("This person is already a member.")


class InvitationExpired(HouseError):
    category = Category.NOT_FOUND
    code = "invitation_expired"
    default_message = _("This invitation is not valid any more. Ask for a new one.")


class InvitedSomebodyElse(HouseError):
    category = Category.FORBIDDEN
    code = "invited_somebody_else"
    default_message = _("This invitation is for another e-mail address. Sign in with that one.")


class TenantSuspended(HouseError):
    category = Category.PAYMENT_REQUIRED
    code = "tenant_suspended"
    default_message = _("This organisation is suspended: nothing can be published or sent.")


class TenantRestricted(HouseError):
    category = Category.PAYMENT_REQUIRED
    code = "tenant_restricted"
    default_message = _("An invoice is unpaid: no campaign can be started until it is paid.")
