"""What proving oneself may end in. None of these sentences tells whether an address has an account."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class WrongCredentials(HouseError):
    category = Category.UNAUTHENTICATED
    code = "wrong_credentials"
    default_message = _("This e-mail address and password do not go together.")


class WrongPassword(HouseError):
    category = Category.UNAUTHENTICATED
    code = "wrong_password"
    default_message = _("That password is not right.")


class WrongCode(HouseError):
    category = Category.UNAUTHENTICATED
    code = "wrong_code"
    default_message = _("That code is not right, or it was used already. Wait for the next one and try again.")


class WrongRecoveryCode(HouseError):
    category = Category.UNAUTHENTICATED
    code = "wrong_recovery_code"
    default_message = _("That recovery code is not right, or it was used already.")


class TooManyGuesses(HouseError):
    category = Category.LIMITED
    code = "too_many_guesses"
    default_message = _("Too many tries. Wait a little and try again.")


class TooManyAuthenticators(HouseError):
    category = Category.CONFLICT
    code = "too_many_authenticators"
    default_message = _("You have as many authenticators as one person may. Remove one first.")


class FactorRequired(HouseError):
    category = Category.CONFLICT
    code = "factor_required"
    default_message = _("Your role needs a second factor. Add another authenticator before you remove this one.")


class LinkExpired(HouseError):
    category = Category.NOT_FOUND
    code = "link_expired"
    default_message = _("This link is not valid any more. Ask for a new one.")


class GuardUnavailable(HouseError):
    category = Category.UNAVAILABLE
    code = "guard_unavailable"
    default_message = _("We cannot check this right now. Try again in a moment.")
