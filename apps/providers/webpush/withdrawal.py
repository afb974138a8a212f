"""Taking back what a push service still holds: DELETE on the push's own address (RFC 8030, 6.2).

Whoever knows that address may do so; it needs no key. Mozilla's service does it, of others nothing is promised.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from apps.core.egress import AddressRefused, Place, read_url
from apps.providers.exchanges import Lane, Reply, Request
from apps.providers.http import exchange_on
from apps.providers.webpush.lanes import lane_to


def withdraw(addresses: Sequence[str], *, owner: str) -> int:
    """Asks for each once. Answers how many the services had and dropped."""
    batches = []
    for places in _by_origin(addresses):
        lane = lane_to(places[0], owner)
        if isinstance(lane, Lane):
            batches.append((lane, [Request(place.url, {}, method="DELETE") for place in places]))
    answers = [answer for batch in exchange_on(batches) for answer in batch]
    return sum(isinstance(answer, Reply) and 200 <= answer.status < 300 for answer in answers)


def _by_origin(addresses: Iterable[str]) -> Iterable[list[Place]]:
    """Those that may still be called: what is allowed can have changed since."""
    groups: dict[str, list[Place]] = defaultdict(list)
    for address in addresses:
        try:
            place = read_url(address)
        except AddressRefused:
            continue
        groups[place.origin].append(place)
    return groups.values()
