import django.db.models.deletion
from django.db import migrations, models

import apps.core.clock
from apps.tenants.rls import TenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0004_events"),
        ("tenants", "0003_oauth_clients"),
    ]

    operations = [
        migrations.CreateModel(
            name="PreferenceCategory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=apps.core.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("key", models.CharField(max_length=40)),
                ("names", models.JSONField(default=dict)),
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
        ),
        migrations.CreateModel(
            name="OptOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=16)),
                ("created_at", models.DateTimeField(default=apps.core.clock.now, editable=False)),
                (
                    "subscriber",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opt_outs",
                        to="audience.subscriber",
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
                (
                    "category",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="audience.preferencecategory",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="preferencecategory",
            constraint=models.UniqueConstraint(
                fields=("tenant", "application", "key"), name="a_category_key_is_taken_once"
            ),
        ),
        migrations.AddIndex(
            model_name="optout",
            index=models.Index(fields=["tenant", "category"], name="opt_out_of_category"),
        ),
        migrations.AddConstraint(
            model_name="optout",
            constraint=models.UniqueConstraint(
                fields=("tenant", "subscriber", "category"), name="a_person_opts_out_once", nulls_distinct=False
            ),
        ),
        TenantPolicy("audience_preferencecategory"),
        TenantPolicy("audience_optout"),
    ]
