"""One campaign to everybody's phone. Runs inside a process of the product.

Usage: python -m benchmarks.push_worker plan|drain APPLICATION
drain sends what is due until nothing is, and prints: seconds of CPU time, seconds, megabytes at most, megabytes at most
in the first quarter of that time.
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
from apps.messaging.sending.pipeline import send_due_chunks  # noqa: E402
from apps.messaging.services.messages import open_message  # noqa: E402
from apps.providers.apns.provider import ApnsProvider  # noqa: E402
from apps.providers.credentials import save_credential  # noqa: E402
from apps.tenants.models import Application, Tenant  # noqa: E402
from apps.tenants.queries import find_application  # noqa: E402
from apps.tenants.scope import tenant_scope  # noqa: E402
from benchmarks.campaign_bench import BODY, TITLE  # noqa: E402

_CHUNK = 1_000


#: Seconds between two looks at the memory.
_LOOK_EVERY = 2.0


def plan(application_id: str) -> None:
    found = find_application(application_id=application_id)
    assert found is not None
    with tenant_scope(found.tenant_id):
        tenant = Tenant.objects.get(pk=found.tenant_id)
        application = Application.objects.get(pk=found.application_pk)
    _save_key(tenant, application)
    _plan(tenant, application)


def drain(_application_id: str) -> None:
    processor, wall = time.process_time(), time.perf_counter()
    looks = [_megabytes()]
    while send_due_chunks(seconds=_LOOK_EVERY):
        looks.append(_megabytes())
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    print(processor, wall, _megabytes(), looks[len(looks) // 4])


def _megabytes() -> float:
    """The most there ever was."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _save_key(tenant: Tenant, application: Application) -> None:
    """Unchecked: the network of a benchmark knows nobody's keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    values = {"team_id": "BENCHTEAM1", "key_id": "BENCHKEY01", "bundle_id": "com.example.shop", "private_key": text}
    ApnsProvider.check = lambda self: None  # type: ignore[method-assign]
    save_credential(tenant=tenant, application=application, provider="apns", name="Bench", values=values)


def _plan(tenant: Tenant, application: Application) -> None:
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


if __name__ == "__main__":
    {"plan": plan, "drain": drain}[sys.argv[1]](sys.argv[2])
