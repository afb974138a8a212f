"""What the tests of journeys share: an application's people and events, with the clock in the test's hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.audience.models import Subscriber
from apps.audience.services.events import record_events
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.campaigns.journeys.engine import advance_journeys
from apps.campaigns.journeys.models import Journey, JourneyEntry
from apps.campaigns.journeys.services import create_journey, publish_journey
from apps.campaigns.journeys.triggers import take_events
from apps.messaging.models import Delivery
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

CONTENT = {"en": {"title": "Hi", "body": "You left something behind."}}


def a_send(step_id: str = "s", following: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "send", "content": CONTENT, "routes": ["console"], "next": following, **more}


def a_wait(seconds: int, following: str | None = "s", step_id: str = "w") -> dict[str, Any]:
    return {"id": step_id, "kind": "wait", "seconds": seconds, "next": following}


def a_journey(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Begun by the event `start`, and again each time, unless `more` says otherwise."""
    return {"trigger": {"event": "start"}, "reentry": {"rule": "always"}, "steps": list(steps), **more}


class World:
    """Opens its own scopes. people: external ids that exist."""

    def __init__(self, application: Application) -> None:
        self.application, self.tenant = application, application.tenant

    def publish(self, definition: dict[str, Any], name: str = "Cart") -> Journey:
        with tenant_scope(self.tenant):
            journey = create_journey(tenant=self.tenant, application=self.application, name=name, definition=definition)
            return publish_journey(tenant=self.tenant, journey=journey)

    def meet(self, *names: str, **common: Any) -> None:
        with tenant_scope(self.tenant):
            upsert_subscribers_in_bulk(
                tenant=self.tenant,
                application=self.application,
                people=[{"external_id": name, **common} for name in names],
            )

    def does(self, who: str, what: str, *, at: datetime | None = None, event_id: str = "", **properties: Any) -> str:
        """Answers what became of the event."""
        event = {"external_id": who, "name": what, "properties": properties}
        event |= {"id": event_id} if event_id else {}
        event |= {"occurred_at": at.isoformat()} if at else {}
        with tenant_scope(self.tenant):
            [result] = record_events(tenant=self.tenant, application=self.application, events=[event])
        return result.status

    def tick(self) -> None:
        """As the workers do each second."""
        take_events()
        advance_journeys(seconds=60)

    def entries(self) -> list[tuple[str, str, str, str]]:
        """(person, state, step, reason), in the order in which they came."""
        with tenant_scope(self.tenant):
            rows = JourneyEntry.objects.of(self.tenant).order_by("pk")
            return list(rows.values_list("subscriber__external_id", "state", "step", "reason"))

    def sent(self) -> list[tuple[str, str, str]]:
        """(person, delivery state, reason), in the order of the ledger."""
        with tenant_scope(self.tenant):
            names = dict(Subscriber.objects.of(self.tenant).values_list("pk", "external_id"))
            rows = Delivery.objects.of(self.tenant).order_by("pk")
            return [
                (names[who], state, why) for who, state, why in rows.values_list("subscriber_id", "state", "reason")
            ]
