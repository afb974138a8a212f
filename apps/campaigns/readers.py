"""Which text the readers of each language get, and how many they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from apps.audience.models import SubscriberQuerySet
from apps.messaging.content.languages import fallbacks, way_to_language

#: Languages that are told one by one; the tail is added up.
_TOLD = 20


@dataclass(frozen=True, slots=True)
class Readers:
    """language: theirs, folded; empty: they have none. way: what is tried, the last is the text that they get."""

    language: str
    way: tuple[str, ...]
    people: int

    @property
    def text(self) -> str:
        return self.way[-1]

    @property
    def falls_back(self) -> bool:
        return len(self.way) > 1 or not self.language


@dataclass(frozen=True, slots=True)
class Readership:
    """readers: those of most languages, the largest first. by_text: people by the text that they get, everybody."""

    readers: list[Readers]
    others: int
    by_text: dict[str, int]


def readership_of(audience: SubscriberQuerySet, offered: Sequence[str], default: str) -> Readership:
    """offered: the languages of the words, not empty. default: the organisation's. One query, a row per language."""
    people: Counter[str] = Counter()
    for language, count in audience.order_by().values_list("language").annotate(people=Count("pk")):
        people[next(fallbacks(language))] += count
    readers = [
        Readers(language, way_to_language(language, default, offered), n) for language, n in people.most_common()
    ]
    by_text = dict.fromkeys(offered, 0)
    for one in readers:
        by_text[one.text] += one.people
    return Readership(readers[:_TOLD], sum(one.people for one in readers[_TOLD:]), by_text)
