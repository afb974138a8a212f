"""Rules for new passwords beyond Django's own (settings.AUTH_PASSWORD_VALIDATORS)."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.accounts.models import User


class ContextWordsValidator:
    """Refuses what anybody would try first on this installation: the product's name (ASVS 6.2.11)."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def validate(self, password: str, user: User | None = None) -> None:
        plain = password.lower()
        if any(word in plain for word in self._words):
            raise ValidationError(self.get_help_text(), code="password_names_the_product")

    def get_help_text(self) -> str:
        return _("Your password must not contain the name of this product.")
