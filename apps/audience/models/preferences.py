"""What people want to hear about."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.audience.models.people import Subscriber
from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned


class PreferenceCategory(PublicIdModel, TenantOwned, TimestampedModel):
    """A kind of message that people may do without. key: the application's name for it. names: language -> what people
    read."""

    public_id_prefix: ClassVar[str] = "cat"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=40)
    names = models.JSONField(default=dict)

    objects: ClassVar[TenantManager[PreferenceCategory]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "key"], name="a_category_key_is_taken_once"),
        ]

    def __str__(self) -> str:
        return self.key


class OptOut(TenantOwned):
    """A person does not want this category; without a category: nothing at all. source: link, api or dashboard."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="opt_outs", db_index=False)
    category = models.ForeignKey(
        PreferenceCategory, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    source = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[TenantManager[OptOut]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber", "category"], nulls_distinct=False, name="a_person_opts_out_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "category"], name="opt_out_of_category")]
