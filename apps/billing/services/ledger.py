"""Booking: every movement of money once, balanced per currency, with the accounts locked in one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Sum

from apps.billing.models import AccountKind, LedgerAccount, LedgerEntry, LedgerTransaction
from apps.tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Account:
    """Which account of a tenant. reference: see LedgerAccount."""

    kind: AccountKind
    currency: str
    reference: str = ""


def book(
    *, tenant: Tenant, operation: str, operation_id: str, entries: Iterable[tuple[Account, int]]
) -> LedgerTransaction:
    """Books debits (above zero) and credits (below). A repeat of the operation answers what is booked already.

    The database refuses at the commit what does not add up to zero in each currency.
    """
    moves = [(account, amount) for account, amount in entries if amount]
    accounts = _locked(tenant, [account for account, _amount in moves])
    found = LedgerTransaction.objects.of(tenant).filter(operation=operation, operation_id=operation_id).first()
    if found is not None:
        return found
    booked = LedgerTransaction.objects.create(tenant=tenant, operation=operation, operation_id=operation_id)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            tenant=tenant, transaction=booked, account=accounts[account], currency=account.currency, amount=amount
        )
        for account, amount in moves
    )
    return booked


def reverse(*, tenant: Tenant, booked: LedgerTransaction) -> LedgerTransaction:
    """Books the opposite of what was really booked. At most once for each transaction."""
    entries = list(LedgerEntry.objects.of(tenant).filter(transaction=booked).select_related("account").order_by("pk"))
    _locked(tenant, [_account(entry.account) for entry in entries])
    back = LedgerTransaction.objects.create(
        tenant=tenant, operation=f"reverse {booked.operation}", operation_id=booked.operation_id, reverses=booked
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            tenant=tenant, transaction=back, account=entry.account, currency=entry.currency, amount=-entry.amount
        )
        for entry in entries
    )
    return back


def balances(*, tenant: Tenant, kind: AccountKind) -> Mapping[tuple[str, str], int]:
    """(currency, reference) -> debits less credits, of all accounts of a kind."""
    rows = LedgerEntry.objects.of(tenant).filter(account__kind=kind)
    sums = rows.values_list("currency", "account__reference").annotate(Sum("amount"))
    return {(currency, reference): amount for currency, reference, amount in sums}


def lock_accounts(*, tenant: Tenant, accounts: Iterable[Account]) -> None:
    """Holds the accounts until the end of the transaction, so that a balance that was read stays true."""
    _locked(tenant, list(accounts))


def _account(row: LedgerAccount) -> Account:
    return Account(AccountKind(row.kind), row.currency, row.reference)


def _locked(tenant: Tenant, accounts: list[Account]) -> dict[Account, LedgerAccount]:
    """The accounts' rows, opened when they are new, locked in the order of their ids."""
    wanted = set(accounts)
    locked = _known(tenant, wanted)
    if locked.keys() != wanted:
        missing = sorted(wanted - locked.keys(), key=lambda each: (each.kind, each.currency, each.reference))
        LedgerAccount.objects.bulk_create(
            [LedgerAccount(tenant=tenant, kind=a.kind, currency=a.currency, reference=a.reference) for a in missing],
            ignore_conflicts=True,
        )
        locked = _known(tenant, wanted)
    return locked


def _known(tenant: Tenant, wanted: set[Account]) -> dict[Account, LedgerAccount]:
    rows = LedgerAccount.objects.of(tenant).filter(kind__in={account.kind for account in wanted})
    return {_account(row): row for row in rows.order_by("pk").select_for_update() if _account(row) in wanted}
