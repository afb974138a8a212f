from django.db import migrations

#: Before reservations had rows, a worker that died left its units reserved; nothing would ever give them back.
_RESET = """
UPDATE billing_quota AS quota SET reserved = kept.units
FROM (
    SELECT quota.id, coalesce(sum(reservation.quantity), 0) AS units
    FROM billing_quota AS quota LEFT JOIN billing_reservation AS reservation ON reservation.quota_id = quota.id
    WHERE quota.reserved <> 0 GROUP BY quota.id
) AS kept
WHERE quota.id = kept.id AND quota.reserved <> kept.units
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0013_refunds")]

    operations = [migrations.RunSQL(_RESET, migrations.RunSQL.noop)]
