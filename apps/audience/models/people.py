"""The people an application talks to, and the groups they fall into."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from apps.audience import values
from apps.core.errors import NotFound
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned, TenantQuerySet


class SubscriberQuerySet(TenantQuerySet["Subscriber"]):
    def in_application(self, application: Application) -> Self:
        return self.of(application.tenant_id).filter(application=application)

    def named(self, external_id: str) -> Subscriber:
        """The subscriber with this external id, or NotFound."""
        row = self.filter(external_id=external_id).first()
        if row is None:
            raise NotFound
        return row

    def starting_with(self, prefix: str) -> Self:
        """By the beginning of the external id, as a range: LIKE is not leakproof, so row-level security would keep it
        from using the index."""
        if not values.is_external_id(prefix):
            return self.none()
        return self.filter(external_id__gte=prefix, external_id__lt=prefix[:-1] + chr(ord(prefix[-1]) + 1))


class SubscriberManager(TenantManager["Subscriber"]):
    queryset_class: ClassVar[type[Any]] = SubscriberQuerySet

    def get_queryset(self) -> SubscriberQuerySet:
        queryset = super().get_queryset()
        assert isinstance(queryset, SubscriberQuerySet)
        return queryset

    def in_application(self, application: Application) -> SubscriberQuerySet:
        return self.get_queryset().in_application(application)


class Subscriber(PublicIdModel, TenantOwned, TimestampedModel):
    """An end user of an application. `external_id` is the tenant's own name for the person and the Pusher user id.

    Written by `services.subscribers` in bulk SQL, which sets updated_at itself. There is no GIN index on attributes or
    tags on purpose: their operators are not leakproof, so under row-level security it could never be used.
    """

    public_id_prefix: ClassVar[str] = "sub"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(_("external id"), max_length=values.MAX_EXTERNAL_ID, db_collation="C")
    attributes = models.JSONField(_("attributes"), default=dict)
    tags = ArrayField(models.TextField(), verbose_name=_("tags"), default=list)
    language = models.CharField(_("language"), max_length=35, blank=True, default="")
    timezone = models.CharField(_("time zone"), max_length=64, blank=True, default="")

    objects: ClassVar[SubscriberManager] = SubscriberManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "id"], name="subscriber_page"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "external_id"], name="an_external_id_names_one_subscriber"
            ),
            models.CheckConstraint(
                condition=models.Q(external_id__regex=values.EXTERNAL_ID_PATTERN), name="external_id_fits_a_channel"
            ),
            models.CheckConstraint(
                condition=Exact(Func("attributes", function="jsonb_typeof", output_field=models.TextField()), "object"),
                name="attributes_are_an_object",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Func(
                        Cast("attributes", models.TextField()),
                        function="octet_length",
                        output_field=models.IntegerField(),
                    ),
                    4 * values.MAX_ATTRIBUTES_BYTES,
                ),
                name="attributes_are_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class SubscriberAlias(TenantOwned):
    """Another name of a person, such as its number in a CRM. label: whose name. At most one per label and person."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="aliases", db_index=False)
    label = models.CharField(max_length=values.MAX_ALIAS_LABEL, db_collation="C")
    value = models.CharField(max_length=values.MAX_ALIAS, db_collation="C")

    objects: ClassVar[TenantManager[SubscriberAlias]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "label", "value"], name="an_alias_names_one_subscriber"
            ),
            models.UniqueConstraint(fields=["tenant", "subscriber", "label"], name="a_person_has_one_alias_per_label"),
        ]


class Segment(PublicIdModel, TenantOwned, TimestampedModel):
    """A saved rule tree (see segments.py). Who is in it is asked anew each time."""

    public_id_prefix: ClassVar[str] = "seg"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    rules = models.JSONField(_("rules"))

    objects: ClassVar[TenantManager[Segment]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "name"], name="a_segment_name_is_taken_once"),
            models.CheckConstraint(condition=~models.Q(name=""), name="segment_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
