"""Making a whole tenant at once: its owner, an application and an API key. For operators and the demo."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services.passwords import require_good_password
from apps.core.errors import InvalidInput
from apps.core.text import require_name
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, create_application, open_tenant


@dataclass(frozen=True, slots=True)
class Provisioned:
    """application_id: Pusher's app_id. secret and api_key: in clear, for the one time they are shown."""

    tenant_id: str
    application_id: str
    key: str
    secret: str
    api_key: str


@transaction.atomic
def provision_tenant(
    *,
    name: str,
    email: str,
    password: str,
    application: str,
    owner_name: str = "",
    application_id: str | None = None,
    key: str | None = None,
    secret: str | None = None,
) -> Provisioned:
    """All or nothing. The owner has no second factor yet; the API key has every scope.

    application: its name. application_id, key, secret: as for create_application. Raises InvalidInput,
    ApplicationIdTaken, CredentialKeyTaken.
    """
    application = require_name(application, field="application")
    owner = _create_owner(email, password, owner_name)
    tenant = open_tenant(name=name, owner=owner)
    with tenant_scope(tenant):
        made = create_application(
            tenant=tenant, name=application, application_id=application_id, key=key, secret=secret
        )
        api_key = create_api_key(
            tenant=tenant,
            application=made.application,
            name="First key",
            scopes=KEY_SCOPES,
            created_by=owner,
        )
    return Provisioned(tenant.public_id, made.application.application_id, made.key, made.secret, api_key.token)


def _create_owner(email: str, password: str, name: str) -> User:
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput(fields={"email": list(error.messages)}) from None
    require_good_password(password, user=User(email=email, name=name))
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name)
    except IntegrityError:
        raise InvalidInput(fields={"email": [_("Somebody signs in with this address already.")]}) from None
