"""What happens to a finalised invoice: payments, and credit notes that never pass it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.db.models import Sum

from apps.billing.errors import BadAmount, WrongInvoiceState
from apps.billing.models import (
    AccountKind,
    CreditBurn,
    CreditGrant,
    CreditNote,
    DunningStep,
    Invoice,
    InvoiceStatus,
    InvoiceTax,
    LedgerEntry,
    Payment,
    PaymentStatus,
)
from apps.billing.money import add, allocate, major, posted, precise
from apps.billing.services.credits import wallet
from apps.billing.services.ledger import Account, book
from apps.billing.services.numbering import number_credit_note
from apps.billing.services.refunds import note_repaid, pending_account, plan_refunds, refundable
from apps.billing.services.standing import review_standing
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.services import record_audit


def record_payment(
    *, tenant: Tenant, invoice: Invoice, amount: int, method: str, reference: str, actor: str
) -> Payment:
    """Books money received: `amount` minor units. The same method and reference again answers the first payment.

    Raises WrongInvoiceState, and BadAmount for more than is open.
    """
    locked = _finalised(tenant, invoice)
    known = Payment.objects.of(tenant).filter(method=method, reference=reference).first()
    if known is not None:
        if (known.invoice_id, known.amount) != (invoice.pk, amount):
            raise BadAmount
        return known
    if not 0 < amount <= locked.open_amount:
        raise BadAmount
    payment = Payment.objects.create(tenant=tenant, invoice=locked, amount=amount, method=method, reference=reference)
    cash, receivable = _cash(locked, method), _receivable(locked)
    entries = [(cash, amount), (receivable, -amount)]
    book(tenant=tenant, operation="payment", operation_id=payment.public_id, entries=entries)
    locked.paid += amount
    _settle(tenant, locked, actor)
    facts = {"payment": payment.public_id, "amount": amount}
    record_audit(tenant=tenant, actor=actor, action="invoice.paid", target=invoice.public_id, facts=facts)
    return payment


@dataclass(frozen=True, slots=True)
class Repaid:
    """Money that a processor gave back. method, payment: of what was paid. reference: its own of the refund."""

    method: str
    payment: str
    reference: str


def mirror_refund(*, tenant: Tenant, invoice: Invoice, amount: int, repaid: Repaid, actor: str) -> CreditNote:
    """A credit note over `amount` minor units that have gone back already. The same refund again answers the first.

    Raises WrongInvoiceState unless the invoice is paid, and BadAmount for more than was paid or is left of it.
    """
    locked = _finalised(tenant, invoice)
    known = CreditNote.objects.of(tenant).filter(refund_reference=repaid.reference).first()
    if known is not None:
        return known
    if locked.open_amount:
        raise WrongInvoiceState
    if amount > locked.paid:
        raise BadAmount
    note = issue_credit_note(
        tenant=tenant,
        invoice=locked,
        amount=major(amount, locked.currency),
        reason=repaid.reference,
        actor=actor,
        repaid=repaid,
    )
    payment = Payment.objects.of(tenant).get(method=repaid.method, reference=repaid.payment)
    note_repaid(tenant=tenant, note=note, payment=payment)
    return note


def issue_credit_note(
    *,
    tenant: Tenant,
    invoice: Invoice,
    reason: str,
    actor: str,
    amount: Decimal | None = None,
    repaid: Repaid | None = None,
    pays_back: bool = False,
) -> CreditNote:
    """Takes back `amount` (with tax, in the currency; None: all that is left) of a finalised invoice.

    Posted amounts round the sum of all notes so far, so that the last one takes the residue. What was not paid yet is
    owed no more; then the prepaid credit that paid gets it back, last burnt first; the rest becomes new credit. repaid:
    none of this, the money itself went back. pays_back: what was paid goes back to the payer, before anything else but
    what is owed (see `refunds.py`). Raises WrongInvoiceState, and BadAmount when the notes would pass the invoice.
    """
    locked = _finalised(tenant, invoice)
    before = list(CreditNote.objects.of(tenant).filter(invoice=locked))
    credited = add(note.precise for note in before)
    left = add([locked.precise, -credited])
    amount = left if amount is None else amount
    if amount <= 0 or amount > left or amount != precise(Fraction(amount)):
        raise BadAmount
    parts = _parts(tenant, locked, add([credited, amount]), before)
    total = sum(parts.values())
    note = CreditNote.objects.create(
        tenant=tenant,
        invoice=locked,
        series=f"CN-{clock.now():%Y}",
        precise=amount,
        total=total,
        parts_json=parts,
        reason=reason[:300],
        refund_reference=repaid.reference if repaid else "",
    )
    if repaid:
        given_back = [(_cash(locked, repaid.method), -total)]
    else:
        given_back = _given_back(tenant, locked, note, pays_back=pays_back)
    book(
        tenant=tenant,
        operation="credit note",
        operation_id=note.public_id,
        entries=[*_taken_back(locked, parts), *given_back],
    )
    locked.credited += total
    _settle(tenant, locked, actor)
    facts = {"note": note.public_id, "total": total, "reason": reason}
    record_audit(tenant=tenant, actor=actor, action="invoice.credited", target=invoice.public_id, facts=facts)
    number_credit_note(note)
    return note


def _finalised(tenant: Tenant, invoice: Invoice) -> Invoice:
    locked = Invoice.objects.of(tenant).filter(pk=invoice.pk).select_for_update().get()
    if locked.status != InvoiceStatus.FINALISED:
        raise WrongInvoiceState
    return locked


def _settle(tenant: Tenant, invoice: Invoice, actor: str) -> None:
    """Writes how much of the invoice is covered; when all of it is, its dunning ends and what that did is lifted."""
    if invoice.open_amount == 0:
        invoice.payment_status = PaymentStatus.PAID
        DunningStep.objects.of(tenant).filter(invoice=invoice, done_at=None).update(done_at=clock.now())
    elif invoice.paid:
        invoice.payment_status = PaymentStatus.PARTIALLY_PAID
    invoice.save(update_fields=["paid", "credited", "payment_status", "updated_at"])
    review_standing(tenant=tenant, actor=actor)


def _receivable(invoice: Invoice) -> Account:
    return Account(AccountKind.RECEIVABLE, invoice.currency)


def _cash(invoice: Invoice, method: str) -> Account:
    return Account(AccountKind.CASH, invoice.currency, method)


def _parts(tenant: Tenant, invoice: Invoice, credited: Decimal, before: list[CreditNote]) -> dict[str, int]:
    """Minor units of the next note per part of the invoice: what is due in all so far, less the earlier notes'."""
    taxes = list(InvoiceTax.objects.of(tenant).filter(invoice=invoice).order_by("pk"))
    names = ["", *(tax.code for tax in taxes)]
    if credited == invoice.precise:
        due = [invoice.net, *(tax.posted for tax in taxes)]
    else:
        share = Fraction(credited) / Fraction(invoice.precise)
        net = add([invoice.precise, *(-tax.precise for tax in taxes)])
        exact = [precise(Fraction(amount) * share) for amount in (net, *(tax.precise for tax in taxes))]
        due = allocate(exact, posted(credited, invoice.currency), invoice.currency)
    return {name: units - sum(note.parts_json[name] for note in before) for name, units in zip(names, due, strict=True)}


def _taken_back(invoice: Invoice, parts: dict[str, int]) -> list[tuple[Account, int]]:
    return [
        (Account(AccountKind.TAX_PAYABLE if code else AccountKind.REVENUE, invoice.currency, code), units)
        for code, units in parts.items()
    ]


def _given_back(tenant: Tenant, invoice: Invoice, note: CreditNote, *, pays_back: bool) -> list[tuple[Account, int]]:
    """Where the note's total goes: what is still owed, back to the payer, then the credits that paid, then a new
    credit."""
    owed = min(note.total, invoice.open_amount)
    entries, rest = [(_receivable(invoice), -owed)], note.total - owed
    if pays_back and (units := min(rest, refundable(tenant=tenant, invoice=invoice))) > 0:
        plan_refunds(tenant=tenant, note=note, invoice=invoice, amount=units)
        entries.append((pending_account(invoice.currency), -units))
        rest -= units
    for credit, burnt in _burnt(tenant, invoice):
        units = min(rest, burnt)
        entries.append((wallet(credit), -units))
        rest -= units
    if rest > 0:
        name = invoice.label
        fresh = CreditGrant.objects.create(tenant=tenant, name=name, currency=invoice.currency, amount=rest)
        entries.append((wallet(fresh), -rest))
    return entries


def _burnt(tenant: Tenant, invoice: Invoice) -> list[tuple[CreditGrant, int]]:
    """Credits that paid and can still be spent, last burnt first, with what they paid and did not get back."""
    notes = [note.public_id for note in CreditNote.objects.of(tenant).filter(invoice=invoice)]
    returned = LedgerEntry.objects.of(tenant).filter(
        transaction__operation="credit note", transaction__operation_id__in=notes, account__kind=AccountKind.WALLET
    )
    back = dict(returned.values_list("account__reference").annotate(Sum("amount")))
    paid: dict[CreditGrant, int] = {}
    burns = CreditBurn.objects.of(tenant).filter(invoice=invoice, credit__expired_at=None)
    for each in burns.select_related("credit").order_by("-pk"):
        paid[each.credit] = paid.get(each.credit, 0) + each.units
    return [(credit, units + back.get(str(credit.pk), 0)) for credit, units in paid.items()]
