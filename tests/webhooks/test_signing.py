"""Signatures against published vectors and against independent receivers: PyPI's pusher and standardwebhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pusher import Pusher
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication, add_credential
from apps.webhooks import signing
from apps.webhooks.events import ChannelEvent
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.payloads import pusher_body, standard_body
from apps.webhooks.services.endpoints import OVERLAP, rotate_secret
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver
from tests.webhooks.receiver import Received, Receiver

#: The reference vector of the Standard Webhooks specification, and realtime's of Pusher's documentation.
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_BODY = b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}'


def as_pusher_sees(made: NewApplication, call: Received) -> object:
    """What the SDK makes of the call; None when it does not believe it."""
    client = Pusher(app_id="1", key=made.key, secret=made.secret)
    headers = call.headers
    return client.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], call.body.decode())


def test_the_published_vectors_come_out() -> None:
    made = signing.standard_signature(_SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    expected = "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf"
    assert signing.pusher_signature("7ad3773142a6692b25b8", _BODY) == expected


def test_pushers_body_is_the_documented_one_byte_by_byte() -> None:
    now = datetime.fromtimestamp(1_327_078_148.132, UTC)
    assert pusher_body([ChannelEvent("channel_occupied", "my-channel", 0, {})], now=now) == _BODY


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "channel_vacated", "channel": "a"}, {"name": "channel_vacated", "channel": "a"}),
        (
            {"name": "member_added", "channel": "presence-a", "user_id": "7 é"},
            {"name": "member_added", "channel": "presence-a", "user_id": "7 é"},
        ),
        (
            {"name": "client_event", "channel": "private-a", "event": "client-x", "data": "{}", "socket_id": "1.2"},
            {"name": "client_event", "channel": "private-a", "event": "client-x", "data": "{}", "socket_id": "1.2"},
        ),
        (
            {"name": "subscription_count", "channel": "a", "subscription_count": "3"},
            {"name": "subscription_count", "channel": "a", "subscription_count": 3},
        ),
    ],
)  # fmt: skip
def test_an_event_is_told_with_its_own_members_in_order(fields: dict[str, str], told: dict[str, object]) -> None:
    raw = {name.encode(): value.encode() for name, value in fields.items()}
    event = ChannelEvent.from_stream(raw, at=0)
    assert list(event.as_told.items()) == list(told.items())
    kept = event.to_json() | {"facts": dict(sorted(event.facts.items()))}  # jsonb keeps no order
    assert list(ChannelEvent.from_json(kept).as_told.items()) == list(told.items())


def test_standard_bodies_have_type_timestamp_and_data() -> None:
    event = ChannelEvent("member_added", "presence-a", 1_700_000_000_123, {"user_id": "ada"})
    one = (
        b'{"type":"channel.member_added","timestamp":"2023-11-14T22:13:20.123Z",'
        b'"data":{"channel":"presence-a","user_id":"ada"}}'
    )
    assert standard_body([event]) == one
    start = b'{"type":"channel.events","timestamp":"2023-11-14T22:13:20.123Z","data":{"events":['
    assert standard_body([event, event]) == start + one + b"," + one + b"]}}"


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
class TestReceivers:
    def test_pypi_pusher_believes_what_is_sent(
        self, make_endpoint: MakeEndpoint, plane: Plane, new_application: NewApplication, receiver: Receiver,
        tenant: Tenant,
    ) -> None:  # fmt: skip
        make_endpoint()
        with tenant_scope(tenant):  # the oldest live key goes on signing
            add_credential(tenant=tenant, application=new_application.application)
        plane.note(new_application.application, "member_added", "presence-a", user_id="ada")
        plane.collect()
        deliver()
        assert as_pusher_sees(new_application, receiver.received[0]) == receiver.received[0].json
        changed = Received("/", receiver.received[0].headers, receiver.received[0].body.replace(b"ada", b"bob"))
        assert as_pusher_sees(new_application, changed) is None

    @pytest.mark.parametrize("way", ["standard", "both"])
    def test_standardwebhooks_believes_what_is_sent(
        self, way: str, make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver
    ) -> None:
        endpoint = make_endpoint(signing=way)
        plane.note(application, "channel_occupied", "news")
        plane.collect()
        deliver()
        [call] = receiver.received
        assert Webhook(endpoint.secret).verify(call.body.decode(), call.headers) == call.json
        assert ("x-pusher-key" in call.headers) == (way == "both")
        with pytest.raises(WebhookVerificationError):
            Webhook(_SECRET).verify(call.body.decode(), call.headers)

    def test_for_a_day_after_a_rotation_both_secrets_sign(
        self, make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
    ) -> None:
        endpoint = make_endpoint(signing="standard")
        with tenant_scope(tenant):
            fresh = rotate_secret(tenant=tenant, endpoint=endpoint)
        plane.note(application, "channel_occupied", "news")
        plane.collect()
        deliver()
        with tenant_scope(tenant):
            WebhookEndpoint.objects.update(previous_until=clock.now() - timedelta(seconds=1))
        plane.note(application, "channel_vacated", "news")
        plane.collect()
        deliver()
        during, after = receiver.received
        for secret in (endpoint.secret, fresh):
            Webhook(secret).verify(during.body.decode(), during.headers)
        Webhook(fresh).verify(after.body.decode(), after.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint.secret).verify(after.body.decode(), after.headers)
        assert timedelta(hours=24) == OVERLAP
