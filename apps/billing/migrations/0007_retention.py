from django.db import migrations

# The serving roles may neither drop a partition nor delete an identity; these functions of the owner's do just what the
# retention rules say, and refuse to be told otherwise.
_FUNCTIONS = """
CREATE FUNCTION billing_drop_months(before date) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    partition text;
    dropped text[] := '{}';
BEGIN
    IF before > now() - interval '400 days' THEN
        RAISE EXCEPTION 'raw usage is kept for 400 days' USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM set_config('lock_timeout', '5s', true);
    FOR partition IN
        SELECT child.relname FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'usage_event'::regclass
          AND to_date(right(child.relname, 7), 'YYYY_MM') < date_trunc('month', before)
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped || partition;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE EXECUTE ON FUNCTION billing_drop_months FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_drop_months TO pushsaas_app, pushsaas_worker, pushsaas_maintenance;

CREATE FUNCTION billing_prune_keys(before date, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- The policies bind the owner too: outside a tenant's scope nothing is found.
    scope bigint := NULLIF(current_setting('app.tenant', true), '')::bigint;
    pruned integer;
BEGIN
    IF before > now() - interval '399 days' THEN
        RAISE EXCEPTION 'identities of usage are kept for 400 days' USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM usage_key WHERE tenant_id = scope AND (meter, source_key) IN (
        SELECT meter, source_key FROM usage_key WHERE tenant_id = scope AND first_seen_on < before LIMIT most
    );
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
REVOKE EXECUTE ON FUNCTION billing_prune_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_prune_keys TO pushsaas_app, pushsaas_worker, pushsaas_maintenance;
"""

_DROP = "DROP FUNCTION billing_prune_keys; DROP FUNCTION billing_drop_months;"

# Brin: identities come in the order of their days, and a b-tree would cost every write.
_INDEX = "CREATE INDEX usage_key_by_day ON usage_key USING brin (first_seen_on)"


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_invoices")]

    operations = [
        migrations.RunSQL(_FUNCTIONS, _DROP),
        migrations.RunSQL(_INDEX, "DROP INDEX usage_key_by_day"),
    ]
