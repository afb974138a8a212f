"""The signed link to a person's preferences, and the words of a category in their language. Pure but for the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext_lazy as _

from apps.audience.errors import CategoryInvalid
from apps.audience.models import Subscriber
from apps.audience.values import ValueProblem, is_name, read_language
from apps.tenants.models import Tenant

MAX_NAME = 120
MAX_LANGUAGES = 20
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LinkedPerson:
    """Row numbers, as a link was signed for them."""

    tenant_id: int
    subscriber_id: int


def path_of(person: Subscriber) -> str:
    """Of the person's own preference page. Whoever holds the link may change these preferences and nothing else; it
    lives as long as the person, because letters are opened late."""
    return f"/p/{token_of(person)}/"


def token_of(person: Subscriber) -> str:
    tenant = Tenant(pk=person.tenant_id).public_id
    return _signer().sign(f"{tenant}.{person.public_id}")


def path_for(tenant_id: int, subscriber_id: int) -> str:
    """The same from row numbers alone."""
    return path_of(Subscriber(pk=subscriber_id, tenant_id=tenant_id))


def read_token(token: str) -> LinkedPerson | None:
    """None when we did not sign it."""
    try:
        tenant, _dot, person = _signer().unsign(token).partition(".")
    except BadSignature:
        return None
    numbers = Tenant.number_of(tenant), Subscriber.number_of(person)
    return LinkedPerson(numbers[0], numbers[1]) if numbers[0] is not None and numbers[1] is not None else None


def _signer() -> Signer:
    return Signer(salt="audience.preferences")


def read_key(key: object) -> str:
    """Raises CategoryInvalid."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        sentence = _("A key has 1 to 40 small letters, digits, - or _, and begins with a letter or digit.")
        raise CategoryInvalid(sentence, fields={"key": [sentence]})
    return key


def read_names(names: object) -> dict[str, str]:
    """language -> name, tags in their usual case. Raises CategoryInvalid."""
    try:
        if not isinstance(names, Mapping) or not 0 < len(names) <= MAX_LANGUAGES:
            raise ValueError("names")
        read = {read_language(language): name for language, name in names.items()}
        if "" in read or not all(is_name(name, MAX_NAME) and name.strip() for name in read.values()):
            raise ValueError("names")
    except (ValueError, ValueProblem):
        sentence = _("Give a name of 1 to 120 characters in 1 to 20 languages.")
        raise CategoryInvalid(sentence, fields={"names": [sentence]}) from None
    return {language: name.strip() for language, name in read.items()}


def name_in(names: Mapping[str, str], language: str, *, otherwise: str) -> str:
    """The name in the language, its wider ones (`zh-Hant-HK`, `zh-Hant`, `zh`), English, or any. otherwise: of none."""
    parts = language.split("-")
    chain = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    known = {tag.lower(): name for tag, name in names.items()}
    found = (known.get(tag.lower()) for tag in [*chain, "en"])
    return next((name for name in found if name), next(iter(names.values()), otherwise))
