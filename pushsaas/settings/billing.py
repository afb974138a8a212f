"""Invoices and what collects them."""

from pushsaas import env

#: What collects invoices: the path of a class with the shape of `apps.billing.payments.PaymentAdapter`.
PAYMENT_ADAPTER = env.text("PAYMENT_ADAPTER", "apps.billing.payments.Manual")
#: For the adapter `apps.billing.processors.stripe.Stripe`. api: where Stripe is, empty for the real one.
STRIPE = {
    "key": env.text("STRIPE_KEY"),
    "webhook_secret": env.text("STRIPE_WEBHOOK_SECRET"),
    "api": env.text("STRIPE_API"),
}
#: What is done about an unpaid invoice, and how many days after it was due. A plan may say otherwise.
DUNNING = env.text(
    "DUNNING",
    "collect:0 remind:1 collect:7 remind:7 remind:14 restrict:21 suspend:30 uncollectible:60",
)
#: Kind of a letter -> who makes what hangs on it: the path of a function of the letter's facts.
MAIL_ATTACHMENTS = dict.fromkeys(
    ("invoice", "invoice_reminder", "invoice_restricted", "invoice_suspended"),
    "apps.billing.attachments.invoice_attachment",
)
#: Who sends the invoices, as they print it.
INVOICE_SELLER = {
    "name": env.text("INVOICE_SELLER_NAME", "pushsaas"),
    "address": env.text("INVOICE_SELLER_ADDRESS").replace("\\n", "\n"),
    "tax_id": env.text("INVOICE_SELLER_TAX_ID"),
}
