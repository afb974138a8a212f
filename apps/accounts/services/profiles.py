"""A person's name and language."""

from __future__ import annotations

from apps.accounts.models import User


def update_profile(*, user: User, name: str, language: str) -> None:
    """language: one of settings.LANGUAGES, or "" for the browser's."""
    user.name, user.language = name, language
    user.save(update_fields=["name", "language"])
