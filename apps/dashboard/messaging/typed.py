"""Single words that people type outside a form: into a search box, an address, a preview."""

from django.http import QueryDict


def typed(given: QueryDict, name: str, *, limit: int = 120) -> str:
    """The value trimmed, at most `limit` characters, and without U+0000, which PostgreSQL refuses to compare."""
    return given.get(name, "").replace("\0", "").strip()[:limit]
