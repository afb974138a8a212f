"""Categories of messages, and what each person does not want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audience.errors import CategoryInvalid, CategoryKeyTaken, PreferencesInvalid
from apps.audience.models import OptOut, PreferenceCategory, Subscriber
from apps.audience.preferences import read_key, read_names
from apps.tenants.models import Application, Tenant, TenantQuerySet

MAX_CATEGORIES = 50


@dataclass(frozen=True, slots=True)
class Preferences:
    """unsubscribed: wants nothing at all, whatever the categories say. wanted: category key -> whether."""

    unsubscribed: bool
    wanted: Mapping[str, bool]


def categories_of(application: Application) -> TenantQuerySet[PreferenceCategory]:
    return PreferenceCategory.objects.of(application.tenant_id).filter(application=application)


def create_category(*, tenant: Tenant, application: Application, key: str, names: object) -> PreferenceCategory:
    """Raises CategoryInvalid, CategoryKeyTaken."""
    assert application.tenant_id == tenant.pk
    made = PreferenceCategory(tenant=tenant, application=application, key=read_key(key), names=read_names(names))
    if categories_of(application).count() >= MAX_CATEGORIES:
        raise CategoryInvalid(_("An application has at most 50 categories."), details={"limit": MAX_CATEGORIES})
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        if "a_category_key_is_taken_once" not in str(error):
            raise
        raise CategoryKeyTaken(fields={"key": [CategoryKeyTaken.default_message]}) from error
    return made


def change_category(*, tenant: Tenant, category: PreferenceCategory, names: object) -> PreferenceCategory:
    """The key stays: campaigns and people's choices hang on it. Raises CategoryInvalid."""
    assert category.tenant_id == tenant.pk
    return category.changed(names=read_names(names))


def delete_category(*, tenant: Tenant, category: PreferenceCategory) -> None:
    """What people said about it goes along."""
    categories_of(category.application).filter(pk=category.pk).delete()


def preferences_of(*, person: Subscriber) -> Preferences:
    refused = set(OptOut.objects.of(person.tenant_id).filter(subscriber=person).values_list("category_id", flat=True))
    categories = categories_of(person.application).order_by("pk")
    return Preferences(None in refused, {category.key: category.pk not in refused for category in categories})


def set_preferences(
    *,
    tenant: Tenant | int,
    person: Subscriber,
    source: str,
    unsubscribed: bool | None = None,
    wanted: Mapping[str, bool] | None = None,
) -> Preferences:
    """Changes what is given: None and categories that are not named stay. Raises PreferencesInvalid."""
    known = {category.key: category.pk for category in categories_of(person.application)}
    if unknown := set(wanted or {}) - set(known):
        sentence = _("There is no such category.")
        raise PreferencesInvalid(fields={f"categories.{min(unknown)[:40]}": [sentence]})
    refusals: dict[int | None, bool] = {known[key]: not wants for key, wants in (wanted or {}).items()}
    if unsubscribed is not None:
        refusals[None] = unsubscribed
    said = OptOut.objects.of(tenant).filter(subscriber=person)
    for category_id, refused in refusals.items():
        if not refused:
            said.filter(category_id=category_id).delete()
    # Of two clicks at once both are right: the second finds the row and changes nothing.
    OptOut.objects.bulk_create(
        (
            OptOut(tenant_id=person.tenant_id, subscriber=person, category_id=category_id, source=source)
            for category_id, refused in refusals.items()
            if refused
        ),
        ignore_conflicts=True,
    )
    return preferences_of(person=person)
