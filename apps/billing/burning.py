"""Which prepaid credit pays which line of an invoice. Pure; amounts in minor units of one currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credit:
    """left: what it still holds. meters: what it may pay for; empty for everything. A lower priority goes first."""

    reference: int
    left: int
    priority: int
    expires_at: datetime | None
    created_at: datetime
    meters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """One line with its tax, after discounts."""

    meter: str
    units: int


@dataclass(frozen=True, slots=True)
class Burn:
    """credit pays `units` of the line at `position`."""

    credit: int
    position: int
    units: int


def burn_order(credit: Credit) -> tuple[int, datetime, datetime, int]:
    """Priority, then soonest expiry (none is last), then oldest."""
    return credit.priority, credit.expires_at or _NEVER, credit.created_at, credit.reference


def burn(dues: Sequence[Due], credits: Sequence[Credit]) -> list[Burn]:
    """Never more than a credit holds, than a line needs, or than all lines together come to."""
    open_units = [max(0, due.units) for due in dues]
    payable = max(0, sum(due.units for due in dues))  # lines below zero lower what is to pay
    burns = []
    for credit in sorted(credits, key=burn_order):
        left = credit.left
        for position, due in enumerate(dues):
            if credit.meters and due.meter not in credit.meters:
                continue
            units = min(left, open_units[position], payable)
            if units > 0:
                burns.append(Burn(credit.reference, position, units))
                open_units[position] -= units
                left -= units
                payable -= units
    return burns
