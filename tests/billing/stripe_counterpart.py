"""A stand-in for Stripe's API on loopback, as far as the adapter goes: idempotency keys, states, signed events.

Written after docs.stripe.com (API reference, "Idempotent requests", "Webhook signatures").
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRET = "whsec_of_the_counterpart"
KEY = "sk_test_counterpart"


class Account:
    """What lies at "Stripe". decline: the next charges fail. lose: their answers get lost after they were made."""

    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.cards: dict[str, str] = {}
        self.answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.decline = self.lose = self.down = False
        self.refund_status = "succeeded"

    def pay(self, **values: Any) -> dict[str, Any]:
        made = {
            "id": f"pi_{len(self.payments) + 1}", "object": "payment_intent", "status": "succeeded", "metadata": {},
            "customer": None, "amount_received": values.get("amount", 0), "currency": "eur", **values,
        }  # fmt: skip
        self.payments[made["id"]] = made
        return made

    def pay_session(self, number: int = 1) -> dict[str, Any]:
        """The customer pays on the page, with a card that stays."""
        session = self.sessions[f"cs_{number}"]
        self.cards["cus_1"] = "pm_1"
        payment = self.pay(amount=session["amount"], metadata=session["metadata"], customer="cus_1")
        session.update(payment_intent=payment["id"], url=None)
        return payment

    def refund(self, payment: str, amount: int, **values: Any) -> dict[str, Any]:
        made = {
            "id": f"re_{len(self.refunds) + 1}", "object": "refund", "status": "succeeded", "amount": amount,
            "currency": self.payments[payment]["currency"], "payment_intent": payment, "metadata": {}, **values,
        }  # fmt: skip
        self.refunds[made["id"]] = made
        return made

    def answer(self, method: str, path: str, form: dict[str, str], key: str) -> tuple[int, dict[str, Any]]:
        self.calls.append(f"{method} {path}")
        if self.down:
            return 500, {"error": {"type": "api_error", "message": "down"}}
        if method == "GET":
            return self._read(path, form)
        if not key:
            return 400, {"error": {"type": "invalid_request_error", "message": "the test wants a key on every POST"}}
        asked = json.dumps([path, form], sort_keys=True)
        if key in self.answers:
            before, status, body = self.answers[key]
            if before != asked:
                return 400, {"error": {"type": "idempotency_error", "message": "same key, other parameters"}}
            return status, body
        status, body = self._make(path, form)
        self.answers[key] = (asked, status, body)
        return (500, {"error": {"type": "api_error", "message": "lost"}}) if self.lose else (status, body)

    def _read(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/payment_intents":
            found = [each for each in self.payments.values() if each["customer"] == form["customer"]]
            return 200, {"object": "list", "data": found, "has_more": False}
        if (of := re.fullmatch(r"/v1/customers/(\w+)/payment_methods", path)) is not None:
            card = self.cards.get(of[1])
            return 200, {"object": "list", "data": [{"id": card}] if card else [], "has_more": False}
        if path == "/v1/refunds":
            found = [each for each in self.refunds.values() if each["payment_intent"] == form["payment_intent"]]
            return 200, {"object": "list", "data": found, "has_more": False}
        kept = {**self.payments, **self.sessions, **self.refunds}.get(path.rpartition("/")[2])
        return (200, kept) if kept else (404, {"error": {"type": "invalid_request_error", "message": "no such thing"}})

    def _make(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        metadata = {
            found[1]: value for name, value in form.items() if (found := re.fullmatch(r"metadata\[(\w+)\]", name))
        }
        if path == "/v1/checkout/sessions":
            number = f"cs_{len(self.sessions) + 1}"
            amount = int(form["line_items[0][price_data][unit_amount]"])
            url = f"https://checkout.stripe.com/c/{number}"
            self.sessions[number] = {
                "id": number, "object": "checkout.session", "url": url, "amount": amount, "metadata": metadata,
                "payment_intent": None, "success_url": form["success_url"],
            }  # fmt: skip
            return 200, dict(self.sessions[number])
        if path == "/v1/refunds":
            return self._refund(form, metadata)
        status = "requires_payment_method" if self.decline else "succeeded"
        made = self.pay(
            amount=int(form["amount"]), currency=form["currency"], customer=form["customer"], metadata=metadata,
            status=status,
        )  # fmt: skip
        if self.decline:
            return 402, {"error": {"type": "card_error", "code": "card_declined", "message": "declined"}}
        return 200, dict(made)

    def _refund(self, form: dict[str, str], metadata: dict[str, str]) -> tuple[int, dict[str, Any]]:
        payment, amount = self.payments[form["payment_intent"]], int(form["amount"])
        before = [each for each in self.refunds.values() if each["payment_intent"] == payment["id"]]
        gone = sum(each["amount"] for each in before if each["status"] != "failed")
        if gone + amount > payment["amount_received"]:
            error = {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "too much"}
            return 400, {"error": error}
        return 200, dict(self.refund(payment["id"], amount, metadata=metadata, status=self.refund_status))


def event(kind: str, thing: dict[str, Any], number: int = 1) -> bytes:
    body = {"id": f"evt_{number}", "object": "event", "type": kind, "data": {"object": thing}}
    return json.dumps(body).encode()


def signature(body: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


@contextmanager
def serving(account: Account) -> Iterator[str]:
    """The account behind an address on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(url.query) + parse_qsl(self.rfile.read(length).decode()))
            status, body = account.answer(self.command, url.path, form, self.headers.get("Idempotency-Key", ""))
            if self.headers["Authorization"] != f"Bearer {KEY}":
                status, body = 401, {"error": {"type": "invalid_request_error", "message": "wrong key"}}
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Stripe-Should-Retry", "false")
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
