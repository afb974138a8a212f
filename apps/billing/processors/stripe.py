"""Stripe, by its own library. Import this module only where Stripe is configured: nothing else imports that library.

An event is a doorbell: what it says is not believed, the object that it names is fetched. So events may come twice,
late or in any order. Everything that moves money carries an idempotency key that the invoice determines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import stripe
from django.conf import settings

from apps.billing.errors import BadNotice, ProcessorUnavailable
from apps.billing.payments import (
    Collection,
    CollectionResult,
    Demand,
    Notice,
    Payout,
    PayoutState,
    Received,
    Refunded,
    RefundNews,
    RefundOrder,
)
from apps.billing.processors.stripe_amounts import NotPayable, from_stripe, to_stripe

#: Seconds a signature is good for, and a call may take.
_TOLERANCE = 300
_TIMEOUT = 20
_LOOKED_AT = 100
_PAYMENTS = frozenset({"payment_intent.succeeded", "payment_intent.payment_failed"})
_CHECKOUTS = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_REFUNDS = frozenset({"refund.created", "refund.updated", "refund.failed"})
#: Source: docs.stripe.com/api/refunds/object, "status".
_PAYOUTS = {
    "succeeded": PayoutState.DONE,
    "failed": PayoutState.FAILED,
    "canceled": PayoutState.FAILED,
}


class Stripe:
    name = "stripe"
    pays_online = True

    def __init__(self) -> None:
        account = settings.STRIPE
        self._secret = account["webhook_secret"]
        self._client = stripe.StripeClient(
            account["key"],
            base_addresses={"api": account["api"]} if account["api"] else None,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT),
            max_network_retries=2,
        )

    def collect(self, demand: Demand) -> Collection:
        """Charges the means of payment that the payer left at their first payment. Without one the customer acts."""
        if not demand.payer:
            return Collection(CollectionResult.WAITING)
        try:
            amount = to_stripe(demand.amount, demand.currency)
            return self._charge(demand, amount)
        except (NotPayable, stripe.APIConnectionError, stripe.RateLimitError):
            return Collection(CollectionResult.WAITING)
        except stripe.StripeError:
            return Collection(CollectionResult.REFUSED)

    def _charge(self, demand: Demand, amount: int) -> Collection:
        tried = [each for each in self._payments(demand.payer) if _invoice_of(each) == demand.invoice_id]
        for each in tried:  # an answer that got lost must not be asked for a second time
            if each["status"] == "succeeded":
                return Collection(CollectionResult.PAID, each["id"])
            if each["status"] == "processing":
                return Collection(CollectionResult.WAITING)
        means = self._means(demand.payer)
        if means is None:
            return Collection(CollectionResult.WAITING)
        params: Any = {
            "amount": amount,
            "currency": demand.currency.lower(),
            "customer": demand.payer,
            "payment_method": means,
            "off_session": True,
            "confirm": True,
            "metadata": _metadata(demand),
        }
        key = f"collect {demand.invoice_id} {amount} {len(tried)}"
        made: Any = self._client.v1.payment_intents.create(params, {"idempotency_key": key})
        if made["status"] == "succeeded":
            return Collection(CollectionResult.PAID, made["id"])
        return Collection(CollectionResult.WAITING)

    def _payments(self, payer: str) -> list[Any]:
        found: Any = self._client.v1.payment_intents.list({"customer": payer, "limit": _LOOKED_AT})
        return list(found["data"])

    def _means(self, payer: str) -> str | None:
        found: Any = self._client.v1.customers.payment_methods.list(payer, {"limit": 1})
        return found["data"][0]["id"] if found["data"] else None

    def checkout(self, demand: Demand, return_url: str) -> str | None:
        """The address of Stripe's page for this invoice; the card is kept for the next ones."""
        try:
            amount = to_stripe(demand.amount, demand.currency)
        except NotPayable:
            return None
        params: Any = {
            "mode": "payment",
            "client_reference_id": demand.invoice_id,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": demand.currency.lower(),
                        "unit_amount": amount,
                        "product_data": {"name": demand.label},
                    },
                }
            ],
            "metadata": _metadata(demand),
            "payment_intent_data": {"metadata": _metadata(demand), "setup_future_usage": "off_session"},
            "success_url": return_url,
            "cancel_url": return_url,
            **({"customer": demand.payer} if demand.payer else {"customer_creation": "always"}),
        }
        key = f"checkout {demand.invoice_id} {amount} {demand.payer}"
        try:
            made: Any = self._client.v1.checkout.sessions.create(params, {"idempotency_key": key})
        except stripe.StripeError as error:
            raise ProcessorUnavailable from error
        return str(made["url"]) if made["url"] else None  # paid already, and the notice is on its way

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Raises BadNotice for what Stripe did not sign within the last five minutes."""
        if not self._secret:  # anybody could sign with an empty one
            raise BadNotice
        try:
            stripe.WebhookSignature.verify_header(
                body.decode(), headers.get("Stripe-Signature", ""), self._secret, _TOLERANCE
            )
            event = json.loads(body)
            return Notice(str(event["id"]), str(event["type"]), str(event["data"]["object"]["id"]))
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError) as error:
            raise BadNotice from error

    def look_up(self, notice: Notice) -> Received | Refunded | RefundNews | None:
        """What the object of a notice says now; None for what is none of ours. Raises ProcessorUnavailable."""
        try:
            if notice.kind in _PAYMENTS:
                return self._received(self._client.v1.payment_intents.retrieve(notice.reference))
            if notice.kind in _CHECKOUTS:
                session: Any = self._client.v1.checkout.sessions.retrieve(notice.reference)
                paid_by = session["payment_intent"]
                return self._received(self._client.v1.payment_intents.retrieve(paid_by)) if paid_by else None
            if notice.kind in _REFUNDS:
                return self._refunded(self._client.v1.refunds.retrieve(notice.reference))
        except stripe.StripeError as error:
            raise ProcessorUnavailable from error
        return None

    def refund(self, order: RefundOrder) -> Payout:
        """Looks for this try among the payment's refunds first: an answer may have got lost longer ago than keys are
        kept. Raises ProcessorUnavailable."""
        try:
            amount = to_stripe(order.amount, order.currency)
            made = self._refund_of(order)
            if made is None:
                metadata = {"pushsaas_refund": order.refund_id, "pushsaas_try": str(order.tries)}
                params: Any = {"payment_intent": order.payment, "amount": amount, "metadata": metadata}
                key = f"refund {order.refund_id} {order.tries}"
                made = self._client.v1.refunds.create(params, {"idempotency_key": key})
        except NotPayable as error:
            return Payout(PayoutState.BY_HAND, problem=str(error))
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return Payout(PayoutState.FAILED, problem=error.user_message or str(error))
        except stripe.StripeError as error:
            raise ProcessorUnavailable from error
        state = _PAYOUTS.get(made["status"], PayoutState.UNDER_WAY)
        problem = _named(made, "failure_reason") or made["status"] if state is PayoutState.FAILED else ""
        return Payout(state, made["id"], problem)

    def _refund_of(self, order: RefundOrder) -> Any:
        found: Any = self._client.v1.refunds.list({"payment_intent": order.payment, "limit": _LOOKED_AT})
        wanted = order.refund_id, str(order.tries)
        for each in found["data"]:
            named = each["metadata"]
            if named and (_named(named, "pushsaas_refund"), _named(named, "pushsaas_try")) == wanted:
                return each
        return None

    def _received(self, payment: Any) -> Received | None:
        metadata = payment["metadata"]
        if payment["status"] != "succeeded" or "pushsaas_invoice" not in metadata:
            return None
        currency = payment["currency"].upper()
        return Received(
            invoice_id=metadata["pushsaas_invoice"],
            tenant_id=metadata["pushsaas_tenant"],
            amount=from_stripe(payment["amount_received"], currency),
            currency=currency,
            reference=payment["id"],
            payer=payment["customer"] or "",
        )

    def _refunded(self, refund: Any) -> Refunded | RefundNews | None:
        if refund["payment_intent"] and "pushsaas_refund" in (refund["metadata"] or {}):
            paid = self._client.v1.payment_intents.retrieve(refund["payment_intent"])
            return RefundNews(refund["metadata"]["pushsaas_refund"], paid["metadata"]["pushsaas_tenant"])
        if refund["status"] != "succeeded" or not refund["payment_intent"]:
            return None
        payment = self._received(self._client.v1.payment_intents.retrieve(refund["payment_intent"]))
        if payment is None:
            return None
        units = from_stripe(refund["amount"], refund["currency"].upper())
        return Refunded(payment=payment, amount=units, reference=refund["id"])


def _metadata(demand: Demand) -> dict[str, str]:
    return {"pushsaas_invoice": demand.invoice_id, "pushsaas_tenant": demand.tenant_id}


def _named(thing: Any, name: str) -> str:
    """Of one of the library's objects; empty when it has none such."""
    return str(thing[name] or "") if name in thing else ""


def _invoice_of(payment: Any) -> str:
    return _named(payment["metadata"], "pushsaas_invoice")
