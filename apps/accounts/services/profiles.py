"""A person's name and language."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.text import require_name


def update_profile(*, user: User, name: str, language: str) -> None:
    """language: one of settings.LANGUAGES, or "" for the browser's. Raises InvalidInput."""
    user.name, user.language = require_name(name, limit=150), language
    user.save(update_fields=["name", "language"])
