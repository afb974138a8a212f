"""Makes something for each kind of identifier that a route can have. A new route parameter is added here.

The permission table makes them for the neighbour and asks for them; the generated requests make them for themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from apps.audience.addresses import DeviceIn
from apps.audience.models import ImportJob
from apps.audience.services.devices import register_device
from apps.audience.services.preferences import create_category
from apps.audience.services.segments import create_segment
from apps.audience.services.subscribers import upsert_subscriber
from apps.billing.models import Invoice
from apps.campaigns.journeys.services import create_journey
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.core import clock, ids
from apps.messaging.models import Delivery, InboxItem, Message
from apps.messaging.services import accept_message, create_template
from apps.providers.credentials import ensure_vapid_credential
from apps.tenants.models import Application, Tenant
from apps.tenants.services import create_api_key, create_oauth_client
from apps.webhooks.models import Delivery as WebhookDelivery
from apps.webhooks.models import DeliveryState, WebhookEndpoint
from apps.webhooks.services.endpoints import create_endpoint, send_test

Maker = Callable[[Tenant, Application], str]

CONTENT = {"en": {"title": "Hello", "body": "{{ subscriber.name }}"}}


def _api_key(tenant: Tenant, application: Application) -> str:
    made = create_api_key(tenant=tenant, application=application, name="Made", scopes=["publish"])
    return made.api_key.public_id


def _oauth_client(tenant: Tenant, application: Application) -> str:
    made = create_oauth_client(tenant=tenant, application=application, name="Made", scopes=["publish"])
    return made.client.public_id


def _subscriber(tenant: Tenant, application: Application) -> str:
    person = {"external_id": "somebody", "language": "en"}
    subscriber, _created = upsert_subscriber(tenant=tenant, application=application, person=person)
    return subscriber.external_id


def _segment(tenant: Tenant, application: Application) -> str:
    rules = {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}
    return create_segment(tenant=tenant, application=application, name="Pro", rules=rules).public_id


def _category(tenant: Tenant, application: Application) -> str:
    return create_category(tenant=tenant, application=application, key="news", names={"en": "News"}).public_id


def _import(tenant: Tenant, application: Application) -> str:
    """Its row alone: the file of an import that nobody started is not looked at."""
    job = ImportJob.objects.create(
        tenant=tenant, application=application, file_name="people.csv", header=["id"], line=1,
        columns=[{"target": "external_id", "name": "", "kind": "text"}],
    )  # fmt: skip
    return job.public_id


def _template(tenant: Tenant, application: Application) -> str:
    return create_template(tenant=tenant, application=application, name="Hello", content=CONTENT).public_id


def _message(tenant: Tenant, application: Application) -> str:
    recipient = _subscriber(tenant, application)
    return accept_message(
        tenant=tenant, application=application, content=CONTENT, routes=["console"], external_ids=[recipient]
    ).public_id


def _inbox_item(tenant: Tenant, application: Application) -> str:
    """In the inbox of the subscriber that `_subscriber` makes."""
    message = Message.objects.of(tenant).access(_message(tenant, application))
    delivery = Delivery.objects.of(tenant).get(message=message)
    return InboxItem.objects.create(
        tenant=tenant, subscriber_id=delivery.subscriber_id, message=message, delivery=delivery, title="Hello",
        data={}, expires_at=clock.now() + timedelta(days=1),
    ).public_id  # fmt: skip


def _journey(tenant: Tenant, application: Application) -> str:
    definition = {"steps": [{"id": "end", "kind": "end"}]}
    return create_journey(tenant=tenant, application=application, name="Made", definition=definition).public_id


def _campaign(tenant: Tenant, application: Application) -> str:
    plan = Plan(name="Sale", audience={"all": True}, routes=["console"], content=CONTENT)
    return create_campaign(tenant=tenant, application=application, plan=plan).public_id


def _device(tenant: Tenant, application: Application) -> str:
    phone = DeviceIn("ios", "a1b2c3")
    return register_device(tenant=tenant, application=application, external_id="made", device=phone)[0].public_id


def _webhook(tenant: Tenant, application: Application) -> str:
    url = "https://hooks.example.com/made"
    return create_endpoint(tenant=tenant, application=application, url=url, events=["cache_miss"]).endpoint.public_id


def _webhook_delivery(tenant: Tenant, application: Application) -> str:
    """Of the webhook made last, which has it to itself."""
    endpoint = WebhookEndpoint.objects.of(tenant).filter(application=application).latest("pk")
    delivery = send_test(tenant=tenant, endpoint=endpoint)
    WebhookDelivery.objects.of(tenant).filter(pk=delivery.pk).update(state=DeliveryState.DEAD)
    return delivery.public_id


def _invoice(tenant: Tenant, application: Application) -> str:
    return Invoice.objects.create(
        tenant=tenant,
        status="finalised",
        currency="EUR",
        starts_at=clock.now() - timedelta(days=30),
        ends_at=clock.now(),
        finalise_at=clock.now(),
        finalised_at=clock.now(),
        series="INV-2026",
        number=int(clock.now().timestamp() * 1_000_000),
    ).public_id


def _credential(tenant: Tenant, application: Application) -> str:
    return ensure_vapid_credential(tenant=tenant, application=application, subject="mailto:ops@example.com").public_id


#: Called inside the tenant's scope.
MAKERS: dict[str, Maker] = {
    "api_key_id": _api_key,
    "credential_id": _credential,
    "device_id": _device,
    "application_id": lambda tenant, application: application.application_id,
    "campaign_id": _campaign,
    "journey_id": _journey,
    "category_id": _category,
    "external_id": _subscriber,
    "import_id": _import,
    "inbox_item_id": _inbox_item,
    "invoice_id": _invoice,
    "message_id": _message,
    "oauth_client_id": _oauth_client,
    "segment_id": _segment,
    "template_id": _template,
    "webhook_id": _webhook,
    "delivery_id": _webhook_delivery,
}


def unused(identifier: str) -> str:
    """An identifier of the same kind that nobody has."""
    prefix, separator, _rest = identifier.rpartition("_")
    return ids.encode(prefix, 2**40) if separator else "".join(reversed(identifier)) + "7"
