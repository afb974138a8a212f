"""One worker that sends one campaign to everybody's phone. Runs inside a process of the product.

Prints: pushes accepted, seconds of CPU time, seconds, megabytes at most.
"""

from __future__ import annotations

import resource
import sys
import time

import django

django.setup()

from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402  (the app registry first)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: E402

from apps.audience.models import Subscriber  # noqa: E402
from apps.core import clock  # noqa: E402
from apps.messaging.ledger import steps as ledger  # noqa: E402
from apps.messaging.ledger.states import UnknownPolicy  # noqa: E402
from apps.messaging.models import Message  # noqa: E402
from apps.messaging.queries import counts_of  # noqa: E402
from apps.messaging.sending.pipeline import send_due_chunks  # noqa: E402
from apps.messaging.services.messages import open_message  # noqa: E402
from apps.providers.apns.provider import ApnsProvider  # noqa: E402
from apps.providers.credentials import save_credential  # noqa: E402
from apps.tenants.models import Application, Tenant  # noqa: E402
from apps.tenants.queries import find_application  # noqa: E402
from apps.tenants.scope import tenant_scope  # noqa: E402
from benchmarks.campaign_bench import BODY, TITLE  # noqa: E402

_CHUNK = 1_000


def main(application_id: str) -> None:
    found = find_application(application_id=application_id)
    assert found is not None
    with tenant_scope(found.tenant_id):
        tenant = Tenant.objects.get(pk=found.tenant_id)
        application = Application.objects.get(pk=found.application_pk)
    _save_key(tenant, application)
    message = _plan(tenant, application)
    processor, wall = time.process_time(), time.perf_counter()
    send_due_chunks(seconds=3_600)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    with tenant_scope(tenant):
        counts = counts_of(message)
    if counts.accepted != counts.planned:
        raise SystemExit(f"not everything was accepted: {counts}")
    print(counts.accepted, processor, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _save_key(tenant: Tenant, application: Application) -> None:
    """Unchecked: the network of a benchmark knows nobody's keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    values = {"team_id": "BENCHTEAM1", "key_id": "BENCHKEY01", "bundle_id": "com.example.shop", "private_key": text}
    ApnsProvider.check = lambda self: None  # type: ignore[method-assign]
    save_credential(tenant=tenant, application=application, provider="apns", name="Bench", values=values)


def _plan(tenant: Tenant, application: Application) -> Message:
    with tenant_scope(tenant):
        message = open_message(
            tenant=tenant, application=application, content={"en": {"title": TITLE, "body": BODY}}, routes=["apns"],
            unknown_policy=UnknownPolicy.AT_MOST_ONCE,
        )  # fmt: skip
        people = list(Subscriber.objects.in_application(application).order_by("pk").values_list("pk", flat=True))
        for number, start in enumerate(range(0, len(people), _CHUNK)):
            ledger.plan_deliveries(
                tenant_id=tenant.pk, message_id=message.pk, number=number, route="apns", due_at=clock.now(),
                due=people[start : start + _CHUNK],
            )  # fmt: skip
    return message


if __name__ == "__main__":
    main(sys.argv[1])
