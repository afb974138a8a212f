"""What can be wrong with the choice of a provider."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError


class UnknownProvider(HouseError):
    category = Category.INVALID
    code = "unknown_provider"
    default_message = _("There is no such delivery route.")
