"""The dashboard's own refusals."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class RoleForbids(HouseError):
    category = Category.FORBIDDEN
    code = "role_forbids"
    default_message = _("Your role in this organisation does not allow that. Ask an owner or administrator.")


class NotAMember(HouseError):
    category = Category.FORBIDDEN
    code = "not_a_member"
    default_message = _("You do not belong to any organisation. Ask for an invitation, or sign up to start your own.")


class NoApplication(HouseError):
    category = Category.NOT_FOUND
    code = "no_application"
    default_message = _("There is no application yet. Create one first.")
