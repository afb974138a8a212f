import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.lookups
from django.db import migrations, models

import apps.core.clock
from apps.tenants.rls import TenantPolicy


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=apps.core.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("rules", models.JSONField(verbose_name="rules")),
                (
                    "application",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.application",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "application", "name"), name="a_segment_name_is_taken_once"
                    ),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="segment_has_a_name"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscriber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=apps.core.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("external_id", models.CharField(db_collation="C", max_length=128, verbose_name="external id")),
                ("attributes", models.JSONField(default=dict, verbose_name="attributes")),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None, verbose_name="tags"
                    ),
                ),
                ("language", models.CharField(blank=True, default="", max_length=35, verbose_name="language")),
                ("timezone", models.CharField(blank=True, default="", max_length=64, verbose_name="time zone")),
                (
                    "application",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.application",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "application", "id"], name="subscriber_page")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "application", "external_id"), name="an_external_id_names_one_subscriber"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("external_id__regex", "^[-a-zA-Z0-9_=@,.;]+$")),
                        name="external_id_fits_a_channel",
                    ),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.Exact(
                            models.Func("attributes", function="jsonb_typeof", output_field=models.TextField()),
                            "object",
                        ),
                        name="attributes_are_an_object",
                    ),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.LessThanOrEqual(
                            models.Func(
                                django.db.models.functions.comparison.Cast("attributes", models.TextField()),
                                function="octet_length",
                                output_field=models.IntegerField(),
                            ),
                            65536,
                        ),
                        name="attributes_are_bounded",
                    ),
                ],
            },
        ),
        TenantPolicy("audience_segment"),
        TenantPolicy("audience_subscriber"),
    ]
