"""Base models: public ids and timestamps. Nothing here knows about tenants (see apps/tenants/models.py)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from apps.core import clock, ids
from apps.core.errors import NotFound


class PublicIdModel(models.Model):
    """A row with an integer key inside and an opaque id outside."""

    public_id_prefix: ClassVar[str]

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        return ids.encode(self.public_id_prefix, self.pk)

    @classmethod
    def number_of(cls, public_id: str) -> int:
        """The primary key behind a public id. Raises NotFound for anything that is not one."""
        number = ids.decode(cls.public_id_prefix, public_id)
        if number is None:
            raise NotFound
        return number


class TimestampedModel(models.Model):
    """created_at, updated_at in UTC. Bulk and queryset updates must set updated_at themselves."""

    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def refreshed(self) -> Self:
        self.refresh_from_db()
        return self

    def changed(self, **values: Any) -> Self:
        """Sets and saves just these fields."""
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=[*values, "updated_at"])
        return self
