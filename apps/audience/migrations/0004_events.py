import django.db.models.deletion
from django.db import migrations, models

import apps.core.clock
from apps.tenants.rls import TenantPolicy

_TABLES = """
CREATE TABLE audience_event (
    tenant_id bigint NOT NULL,
    application_id bigint NOT NULL,
    subscriber_id bigint NOT NULL,
    name varchar(64) COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id varchar(128) COLLATE "C" NOT NULL,
    properties jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, subscriber_id, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX event_by_name ON audience_event (tenant_id, application_id, name, occurred_at) INCLUDE (subscriber_id);

CREATE TABLE audience_event_key (
    tenant_id bigint NOT NULL,
    application_id bigint NOT NULL,
    event_id varchar(128) COLLATE "C" NOT NULL,
    payload_hash bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, application_id, event_id)
);
CREATE INDEX event_key_by_age ON audience_event_key (first_seen_at);
"""

# The serving roles own no table, so they open and drop a month through these functions of the owner's. A partition is
# reached through its parent and the parent's policies; row security without a policy, and no grants, shut the direct
# way.
_MONTHS = """
CREATE FUNCTION audience_open_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    partition text := 'audience_event' || to_char(month, '_YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(hashtext(partition));
    IF to_regclass(partition) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audience_event FOR VALUES FROM (%L) TO (%L)', partition, first, next);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('REVOKE ALL ON %I FROM pushsaas_app, pushsaas_worker', partition);
END $$;
REVOKE EXECUTE ON FUNCTION audience_open_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audience_open_month
    TO pushsaas_app, pushsaas_worker, pushsaas_maintenance, pushsaas_dispatch;

CREATE FUNCTION audience_drop_months_before(month date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    partition text;
    dropped integer := 0;
BEGIN
    FOR partition IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audience_event'::regclass AND relname < 'audience_event' || to_char(month, '_YYYY_MM')
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE EXECUTE ON FUNCTION audience_drop_months_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audience_drop_months_before TO pushsaas_maintenance, pushsaas_dispatch;

SELECT audience_open_month((date_trunc('month', now()) + n * interval '1 month')::date)
FROM generate_series(-1, 3) AS n;
"""

_DROP = """
DROP TABLE audience_event, audience_event_key;
DROP FUNCTION audience_open_month;
DROP FUNCTION audience_drop_months_before;
"""

_STATE = [
    migrations.CreateModel(
        name="BehaviourEvent",
        fields=[
            ("event_id", models.CharField(db_collation="C", max_length=128)),
            (
                "pk",
                models.CompositePrimaryKey(
                    "tenant_id",
                    "subscriber_id",
                    "occurred_at",
                    "event_id",
                    blank=True,
                    editable=False,
                    primary_key=True,
                    serialize=False,
                ),
            ),
            ("occurred_at", models.DateTimeField()),
            ("name", models.CharField(db_collation="C", max_length=64)),
            ("properties", models.JSONField(default=dict)),
            ("received_at", models.DateTimeField(default=apps.core.clock.now)),
            (
                "application",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.DO_NOTHING,
                    related_name="+",
                    to="tenants.application",
                ),
            ),
            (
                "subscriber",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.DO_NOTHING,
                    related_name="+",
                    to="audience.subscriber",
                ),
            ),
            (
                "tenant",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.DO_NOTHING,
                    related_name="+",
                    to="tenants.tenant",
                ),
            ),
        ],
        options={
            "db_table": "audience_event",
        },
    ),
    migrations.CreateModel(
        name="BehaviourEventKey",
        fields=[
            ("event_id", models.CharField(db_collation="C", max_length=128)),
            (
                "pk",
                models.CompositePrimaryKey(
                    "tenant_id",
                    "application_id",
                    "event_id",
                    blank=True,
                    editable=False,
                    primary_key=True,
                    serialize=False,
                ),
            ),
            ("payload_hash", models.BinaryField(max_length=16)),
            ("first_seen_at", models.DateTimeField(default=apps.core.clock.now)),
            (
                "application",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.DO_NOTHING,
                    related_name="+",
                    to="tenants.application",
                ),
            ),
            (
                "tenant",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.DO_NOTHING,
                    related_name="+",
                    to="tenants.tenant",
                ),
            ),
        ],
        options={
            "db_table": "audience_event_key",
            "indexes": [models.Index(fields=["first_seen_at"], name="event_key_by_age")],
        },
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0003_devices"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_TABLES + _MONTHS, _DROP)], state_operations=_STATE
        ),
        TenantPolicy("audience_event"),
        TenantPolicy("audience_event_key", dispatch=True),
    ]
