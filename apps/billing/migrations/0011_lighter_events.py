from django.db import migrations

# An identity is unique in usage_key, which every record passes on its way in. A second unique index over the same long
# text costs every write; what is read goes by tenant, meter and time.
_LIGHTER = """
ALTER TABLE usage_event DROP CONSTRAINT usage_event_pkey;
CREATE INDEX usage_event_by_time ON usage_event (tenant_id, meter, occurred_at);
"""
_BACK = """
ALTER TABLE usage_event ADD PRIMARY KEY (tenant_id, meter, occurred_at, source_key);
DROP INDEX usage_event_by_time;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_processor_notices")]

    operations = [migrations.RunSQL(_LIGHTER, _BACK)]
