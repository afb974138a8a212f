"""The console and the live page: what they read, what they sign, what they publish."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client
from redis import RedisError

from apps.core import valkey
from apps.dashboard.console import reading
from apps.realtime import keys
from apps.realtime.protocol import signing
from apps.realtime.publish import UserMessage, publish_to_users
from apps.realtime.queries import fault_report
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication, revoke_credential, update_application_settings
from tests.dashboard.conftest import member_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]
HTMX = {"HX-Request": "true"}
SOCKET = "12.34"


def trace(region: str, application: Application, **entry: Any) -> None:
    text = json.dumps({"at": 1_700_000_000.5, **entry})
    valkey.connect(region).xadd(keys.trace(application.application_id), {"e": text})


def publish(client: Client, **fields: str) -> Any:
    form = {"channel": "news", "event": "hello", "payload": '{"text": "hi"}'} | fields
    return client.post("/console/publish", form, headers=HTMX)


def log_of(region: str, application: Application, channel: str = "news") -> list[Any]:
    return list(valkey.connect(region).xrange(keys.log(application.application_id, channel)))


def test_the_feed_shows_this_applications_events_and_no_others(
    developer: Client, application: Application, other_application: Application, region: str
) -> None:
    trace(region, application, kind="published", event="order-<b>", channels=["news"], data='{"n": 1}')
    trace(region, other_application, kind="published", event="their-secret", channels=["x"], data="1")
    html = developer.get("/console/feed").content.decode()
    assert "order-&lt;b&gt;" in html
    assert "their-secret" not in html


def test_looking_switches_the_feed_on(developer: Client, application: Application, region: str) -> None:
    assert not valkey.connect(region).exists(keys.watch(application.application_id))
    developer.get("/console/")
    assert valkey.connect(region).exists(keys.watch(application.application_id))


def test_the_filter_is_a_word_anywhere(developer: Client, application: Application, region: str) -> None:
    trace(region, application, kind="published", event="order-shipped", channels=["news"], data="{}")
    trace(region, application, kind="error", message="Bad signature", code="4009", socket_id=SOCKET)
    html = developer.get("/console/feed", {"q": "SIGNATURE"}).content.decode()
    assert ("Bad signature" in html, "order-shipped" in html) == (True, False)


def test_a_doorbell_that_is_gone_is_said_and_not_an_error(
    developer: Client, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: Any) -> None:
        raise RedisError

    monkeypatch.setattr(reading.queries, "watch", gone)
    assert b'role="alert"' in developer.get("/console/feed").content


def test_publishing_from_the_page_reaches_the_log(developer: Client, application: Application, region: str) -> None:
    response = publish(developer)
    assert json.loads(response["HX-Trigger"])["toasts"]["items"][0]["level"] == "success"
    assert len(log_of(region, application)) == 1


def test_what_the_page_publishes_shows_in_the_feed(developer: Client, application: Application) -> None:
    developer.get("/console/")
    publish(developer, event="from-the-page")
    assert b"from-the-page" in developer.get("/console/feed").content


def test_members_of_a_presence_channel_are_named(developer: Client, application: Application, region: str) -> None:
    doorbell, name = valkey.connect(region), application.application_id
    doorbell.hset(keys.occupied_of(name, "presence-room"), "presence-room", 2)
    doorbell.hset(keys.members(name, "presence-room")[1], mapping={"zoe": 1, "alice": 1})
    assert b"alice, zoe" in developer.get("/console/feed").content


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": '{"a": oops}'},
        {"payload": "[" * 100_000},
        {"payload": '{"a": NaN}'},
        {"payload": json.dumps("x" * 20_000)},
        {"channel": "no spaces"},
        {"channel": ""},
        {"event": "pusher:fake"},
        {"event": "e" * 201},
    ],
)
def test_a_bad_event_is_explained_and_published_nowhere(
    developer: Client, application: Application, region: str, fields: dict[str, str]
) -> None:
    html = publish(developer, **fields).content.decode()
    assert "errorlist" in html
    assert log_of(region, application) == []


def test_an_event_follows_the_limits_of_its_application(
    developer: Client, tenant: Tenant, application: Application, region: str
) -> None:
    with tenant_scope(tenant):
        update_application_settings(tenant=tenant, application=application, settings={"max_event_bytes": 10})
    assert "errorlist" in publish(developer, payload='{"a": "longer than ten bytes"}').content.decode()
    assert log_of(region, application) == []


def test_an_event_follows_the_publish_rate_of_its_application(
    developer: Client, tenant: Tenant, application: Application, region: str
) -> None:
    with tenant_scope(tenant):
        update_application_settings(tenant=tenant, application=application, settings={"max_publishes_per_second": 1})
    assert "errorlist" not in publish(developer).content.decode()
    assert "This application publishes faster than it may." in publish(developer).content.decode()
    assert len(log_of(region, application)) == 1


def test_who_may_only_look_may_not_publish(tenant: Tenant, application: Application, region: str) -> None:
    analyst = member_client(tenant, Role.ANALYST)
    assert b"publish-payload" not in analyst.get("/console/").content
    assert publish(analyst).status_code == 403
    assert log_of(region, application) == []


def sign(client: Client, what: str, **fields: str) -> Any:
    return client.post(f"/live/{what}", {"socket_id": SOCKET, **fields}, headers={"Accept": "application/json"})


def test_a_private_channel_is_signed_with_the_applications_secret(
    developer: Client, new_application: NewApplication
) -> None:
    auth = sign(developer, "authorize", channel="private-x").json()["auth"]
    secrets = {new_application.key: new_application.secret}
    assert signing.is_signed(auth, signing.channel_text(SOCKET, "private-x", None), secrets)


def test_a_presence_channel_says_who_comes(developer: Client, new_application: NewApplication) -> None:
    proof = sign(developer, "authorize", channel="presence-x", user_id="alice").json()
    assert json.loads(proof["channel_data"])["user_id"] == "alice"
    text = signing.channel_text(SOCKET, "presence-x", proof["channel_data"])
    assert signing.is_signed(proof["auth"], text, {new_application.key: new_application.secret})


def test_a_subscriber_is_signed_in(developer: Client, new_application: NewApplication) -> None:
    proof = sign(developer, "authenticate", user_id="alice").json()
    text = signing.sign_in_text(SOCKET, proof["user_data"])
    assert signing.is_signed(proof["auth"], text, {new_application.key: new_application.secret})


@pytest.mark.parametrize(
    ("what", "fields", "code"),
    [
        ("authorize", {"channel": ""}, "bad_channel"),
        ("authorize", {"channel": "#server-to-user-bob"}, "bad_channel"),
        ("authorize", {"channel": "private-x", "socket_id": "1.2:private-y"}, "invalid_input"),
        ("authorize", {"channel": "presence-x", "user_id": "a b"}, "invalid_input"),
        ("authenticate", {"user_id": ""}, "invalid_input"),
        ("authenticate", {"user_id": "x" * 129}, "invalid_input"),
        ("authenticate", {"user_id": "alice", "socket_id": "::user::"}, "invalid_input"),
    ],
)
def test_nothing_else_is_signed(
    developer: Client, application: Application, what: str, fields: dict[str, str], code: str
) -> None:
    response = sign(developer, what, **fields)
    assert (response.status_code, response.json()["code"]) == (400, code)


def test_without_an_active_key_nothing_can_be_signed(
    developer: Client, tenant: Tenant, new_application: NewApplication
) -> None:
    with tenant_scope(tenant):
        for credential in new_application.application.credentials.of(tenant):  # type: ignore[attr-defined]
            revoke_credential(tenant=tenant, credential=credential)
    assert sign(developer, "authenticate", user_id="alice").json()["code"] == "no_active_key"
    assert b"No active key" in developer.get("/live/").content


def test_signing_needs_the_right_to_publish_and_a_csrf_token(tenant: Tenant, application: Application) -> None:
    analyst = member_client(tenant, Role.ANALYST)
    assert sign(analyst, "authenticate", user_id="alice").status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = member_client(tenant, Role.DEVELOPER).cookies
    assert sign(strict, "authenticate", user_id="alice").status_code == 403


def test_the_feed_can_be_narrowed_to_one_kind(developer: Client, application: Application, region: str) -> None:
    trace(region, application, kind="published", event="order-shipped", channels=["news"], data="{}")
    trace(region, application, kind="error", message="Bad signature", code="4009", socket_id=SOCKET)
    html = developer.get("/console/feed", {"kind": "error"}).content.decode()
    assert "Bad signature" in html
    assert "order-shipped" not in html
    assert "order-shipped" in developer.get("/console/feed", {"kind": "nonsense"}).content.decode()


def test_messages_to_users_who_are_there_show_in_the_feed(
    developer: Client, tenant: Tenant, application: Application, region: str
) -> None:
    developer.get("/console/")
    client = valkey.connect(region)
    pubsub = client.pubsub()
    pubsub.subscribe(keys.topic(application.application_id, "#server-to-user-ada"))
    pubsub.get_message(timeout=5)
    messages = [UserMessage(name, "notification", f'"for {name}"', f"id-{name}") for name in ("ada", "bo")]
    publish_to_users(
        region=region, application_id=application.application_id, tenant_id=tenant.pk, messages=messages
    )  # fmt: skip
    pubsub.close()
    html = developer.get("/console/feed").content.decode()
    assert "#server-to-user-ada" in html
    assert "#server-to-user-bo" not in html


def test_a_connections_frames_are_shown_to_its_own_application_only(
    developer: Client, application: Application, other_application: Application, region: str
) -> None:
    step = json.dumps({"at": 1_700_000_000.5, "way": "in", "text": '{"event":"<script>"}'})
    client = valkey.connect(region)
    client.xadd(keys.trail(other_application.application_id, SOCKET), {"e": step})
    page = f"/console/connection?socket={SOCKET}"
    assert "script&gt;" not in developer.get(page).content.decode()
    client.xadd(keys.trail(application.application_id, SOCKET), {"e": step})
    assert "&lt;script&gt;" in developer.get(page).content.decode()
    assert client.zscore(keys.followed(application.application_id), SOCKET)
    assert developer.get("/console/connection?socket=nonsense").status_code == 404


def test_channel_and_connection_are_filtered_apart(developer: Client, application: Application, region: str) -> None:
    trace(region, application, kind="error", message="First", code=4301, socket_id="7.7", channel="room-a")
    trace(region, application, kind="error", message="Second", code=4301, socket_id="8.8", channel="room-b")
    trace(region, application, kind="published", event="Third", channels=["room-a"], data='"8.8"')

    def found(**filters: str) -> list[str]:
        html = developer.get("/console/feed", filters).content.decode()
        return [word for word in ("First", "Second", "Third") if word in html]

    assert found(channel="ROOM-A") == ["First", "Third"]
    assert found(connection="8.8") == ["Second"]
    assert found(channel="room-a", connection="7.7") == ["First"]
    assert found(q="8.8") == ["Second", "Third"]
    assert "Nothing matches the filter" in developer.get("/console/feed", {"channel": "nowhere"}).content.decode()


def test_errors_are_listed_by_code_with_their_number(
    developer: Client, application: Application, other_application: Application, region: str
) -> None:
    client, hour = valkey.connect(region), int(time.time()) // 3_600
    for counted, ago, count in (
        (application, 0, 2),
        (application, 3, 5),
        (application, 24, 100),
        (other_application, 0, 9),
    ):
        client.hincrby(keys.fault_counts(counted.application_id, hour - ago), "4301", count)
        said = json.dumps({"at": time.time(), "message": f"Too many <{counted.application_id}>"})
        client.hset(keys.last_faults(counted.application_id), "4301", said)
    [fault] = fault_report(region=region, application_id=application.application_id)
    assert (fault.code, fault.count, fault.in_this_hour) == ("4301", 7, 2)
    html = developer.get("/console/").content.decode()
    assert f"Too many &lt;{application.application_id}&gt;" in html
    assert other_application.application_id not in html
    assert '<span class="stat-value" id="console-errors">7</span>' in html
    assert "4301" not in developer.get("/console/feed", {"q": "signature"}).content.decode()
