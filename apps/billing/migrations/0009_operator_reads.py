from django.db import migrations

from apps.tenants.rls import OperatorReads


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0008_dunning_steps"),
        ("tenants", "0005_operator_reads"),
    ]

    operations = [
        OperatorReads("billing_plan", "billing_planversion", "billing_taxrate", bound=False),
        OperatorReads(
            "billing_subscription",
            "billing_billingperiod",
            "billing_quota",
            "billing_billingprofile",
            "billing_coupon",
            "billing_creditgrant",
            "billing_creditnote",
            "billing_dunningstep",
            "billing_invoice",
            "billing_invoiceline",
            "billing_invoicetax",
            "billing_ledgeraccount",
            "billing_ledgertransaction",
            "billing_ledgerentry",
            "billing_payment",
            "usage_rollup",
        ),
    ]
