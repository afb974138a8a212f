"""From the data plane's stream to a receiver: order, retries, crashes, two workers, giving up."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail

from apps.accounts.services.mail import deliver_due_mail
from apps.core import clock
from apps.tenants.models import Application, Credential, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks import outbox
from apps.webhooks.models import Attempt, Delivery, DisabledReason, Lane, WebhookEndpoint
from apps.webhooks.services import delivering
from apps.webhooks.services.endpoints import change_endpoint
from apps.webhooks.services.replaying import replay_delivery, replay_range
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver, deliveries, make_due, states
from tests.webhooks.receiver import Receiver, Reply

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


def told(receiver: Receiver) -> list[str]:
    """channel and event of each call, in the order of arrival."""
    return [f"{event['channel']}:{event['name']}" for call in receiver.received for event in call.events]


def test_an_event_reaches_the_endpoint_once(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    plane.note(application, "channel_occupied", "news")
    assert plane.collect() == 1
    deliver()
    deliver()
    assert [call.events for call in receiver.received] == [[{"name": "channel_occupied", "channel": "news"}]]
    assert receiver.received[0].headers["content-type"] == "application/json"
    assert states(tenant) == ["delivered"]
    with tenant_scope(tenant):
        attempt = Attempt.objects.of(tenant).get()
        assert (attempt.number, attempt.outcome, attempt.status, attempt.excerpt) == (1, "delivered", 200, "ok")
        assert not Lane.objects.of(tenant).exists()


def test_a_channels_events_keep_their_order_under_retries_and_others_do_not_wait(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    receiver.replies.append(Reply(500))
    for name, channel in (
        ("channel_occupied", "slow"), ("member_added", "slow"), ("channel_vacated", "slow"),
    ):  # fmt: skip
        plane.note(application, name, channel, **({"user_id": "ada"} if name == "member_added" else {}))
    plane.collect()
    deliver()
    assert told(receiver) == ["slow:channel_occupied"]
    plane.note(application, "channel_occupied", "other")
    plane.collect()
    deliver()
    assert told(receiver) == ["slow:channel_occupied", "other:channel_occupied"]
    make_due(tenant)
    deliver()
    assert told(receiver)[2:] == ["slow:channel_occupied", "slow:member_added", "slow:channel_vacated"]
    assert set(states(tenant)) == {"delivered"}


def test_a_retry_is_stamped_and_signed_anew_under_the_same_id(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint(signing="both")
    receiver.replies.append(Reply(503))
    plane.note(application, "cache_miss", "cache-a")
    plane.collect()
    with time_machine.travel(1_800_000_000, tick=False):
        deliver()
    make_due(tenant)
    with time_machine.travel(1_800_000_007, tick=False):
        deliver()
    first, second = receiver.received
    assert (first.json["time_ms"], second.json["time_ms"]) == (1_800_000_000_000, 1_800_000_007_000)
    assert second.headers["webhook-timestamp"] == "1800000007"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    for signature in ("x-pusher-signature", "webhook-signature"):
        assert first.headers[signature] != second.headers[signature]


def test_a_crash_between_commit_and_delete_repeats_nothing(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint()
    plane.note(application, "channel_occupied", "news")
    with monkeypatch.context() as patched:
        patched.setattr(plane.client, "xdel", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            plane.collect()
    assert len(deliveries(tenant)) == 1
    plane.note(application, "channel_vacated", "news")
    assert plane.collect() == 2
    assert [delivery.events[0]["name"] for delivery in deliveries(tenant)] == ["channel_occupied", "channel_vacated"]


def test_a_crash_after_the_call_sends_the_same_call_again(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_endpoint(signing="both")
    plane.note(application, "channel_occupied", "news")
    plane.collect()
    with monkeypatch.context() as patched:
        patched.setattr(delivering, "_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver()
    deliver()
    assert len(receiver.received) == 1  # the lease still runs
    make_due(tenant)
    deliver()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    with tenant_scope(tenant):
        assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["unknown", "delivered"]


def test_a_second_worker_finds_a_claimed_lane_taken_and_a_late_one_records_nothing(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    plane.note(application, "channel_occupied", "news")
    plane.note(application, "channel_vacated", "news")
    plane.collect()
    [slow] = outbox.claim_lanes(most=8)
    begun = delivering._begin(slow)
    assert begun is not None
    assert outbox.claim_lanes(most=8) == []
    make_due(tenant)  # the lease runs out
    deliver()
    delivering._record(begun, delivering._answer(begun))
    assert told(receiver) == ["news:channel_occupied", "news:channel_vacated", "news:channel_occupied"]
    assert states(tenant) == ["delivered", "delivered"]
    with tenant_scope(tenant):
        outcomes = Attempt.objects.order_by("pk").values_list("number", "outcome")
        assert list(outcomes) == [(1, "unknown"), (2, "delivered"), (1, "delivered")]


def test_after_five_minutes_pushers_way_gives_up_and_a_replay_tries_again(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    receiver.replies.extend([Reply(500)] * 7)
    plane.note(application, "channel_occupied", "news")
    plane.note(application, "channel_vacated", "news")
    plane.collect()
    for _ in range(7):
        make_due(tenant)
        deliver()
    assert states(tenant)[0] == "dead"
    make_due(tenant)
    deliver()
    assert states(tenant) == ["dead", "delivered"]  # the next in the lane did not wait for the dead one
    with tenant_scope(tenant):
        replay_delivery(tenant=tenant, delivery=deliveries(tenant)[0])
    deliver()
    assert states(tenant) == ["delivered", "delivered"]


def test_a_range_of_dead_letters_is_replayed_in_its_order(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint()
    for number in range(5):
        plane.note(application, "subscription_count", "news", subscription_count=number)
    plane.collect()
    with tenant_scope(tenant):
        Delivery.objects.of(tenant).update(state="dead", finished_at=clock.now())
        Lane.objects.of(tenant).delete()
        edge = clock.now() + timedelta(seconds=1)
        assert replay_range(tenant=tenant, endpoint=endpoint, since=edge) == 0
        assert replay_range(tenant=tenant, endpoint=endpoint, until=edge) == 5
    deliver()
    assert [call.events[0]["subscription_count"] for call in receiver.received] == [0, 1, 2, 3, 4]


def test_a_redirect_is_a_failure_and_is_not_followed(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    receiver.replies.append(Reply(302, headers={"Location": receiver.origin + "/elsewhere"}))
    plane.note(application, "channel_occupied", "news")
    plane.collect()
    deliver()
    assert [call.path for call in receiver.received] == ["/hooks"]
    assert states(tenant) == ["pending"]
    with tenant_scope(tenant):
        assert Attempt.objects.get().outcome == "refused"


def test_retry_after_is_honoured_for_the_whole_endpoint(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint(signing="standard")
    receiver.replies.append(Reply(429, headers={"Retry-After": "120"}))
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    deliver()
    plane.note(application, "channel_occupied", "b")
    plane.collect()
    deliver()
    assert len(receiver.received) == 1
    with tenant_scope(tenant):
        endpoint.refresh_from_db()
        waits = [delivery.next_at - clock.now() for delivery in Delivery.objects.exclude(next_at=None)]
    assert timedelta(seconds=110) < endpoint.resumes_at - clock.now() <= timedelta(seconds=120)
    assert len(waits) == 1
    assert waits[0] > timedelta(seconds=110)


def test_gone_switches_the_endpoint_off_and_keeps_what_was_waiting(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint()
    receiver.replies.append(Reply(410))
    plane.note(application, "channel_occupied", "a")
    plane.note(application, "channel_vacated", "a")
    plane.collect()
    deliver()
    assert states(tenant) == ["dead", "dead"]
    with tenant_scope(tenant):
        endpoint.refresh_from_db()
        application.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, DisabledReason.GONE)
    assert application.webhook_events == []
    deliver_due_mail()
    assert "410" in mail.outbox[0].body


def test_an_endpoint_that_fails_for_days_is_announced_and_then_switched_off(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint(signing="standard")
    receiver.replies.extend([Reply(500)] * 4)
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    for age in (timedelta(0), timedelta(hours=2), timedelta(hours=3), timedelta(days=3, seconds=1)):
        with tenant_scope(tenant):
            since = clock.now() - age if age else None
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=since)
        make_due(tenant)
        deliver()
    with tenant_scope(tenant):
        endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, DisabledReason.FAILING)
    deliver_due_mail()
    assert [letter.subject for letter in mail.outbox] == [
        "A webhook of Shop is failing", "A webhook of Shop is switched off",
    ]  # fmt: skip


def test_a_batch_is_filtered_first_and_holds_nothing_of_another_application(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant,
    other_tenant: Tenant, other_application: Application,
) -> None:  # fmt: skip
    make_endpoint(events=["channel_occupied"], batching=True, path="/ours")
    make_endpoint(of=other_tenant, at=other_application, batching=True, path="/theirs")
    for number in range(3):
        plane.note(application, "channel_occupied", f"ours-{number}")
        plane.note(application, "cache_miss", f"ours-{number}")
        plane.note(other_application, "channel_occupied", f"theirs-{number}")
    plane.collect()
    deliver()
    ours = [event for call in receiver.received if call.path.endswith("/ours") for event in call.events]
    theirs = [event for call in receiver.received if call.path.endswith("/theirs") for event in call.events]
    assert sorted(event["channel"] for event in ours) == ["ours-0", "ours-1", "ours-2"]
    assert {event["name"] for event in ours} == {"channel_occupied"}
    assert sorted(event["channel"] for event in theirs) == ["theirs-0", "theirs-1", "theirs-2"]


def test_neighbours_share_a_call_when_batching(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver
) -> None:
    make_endpoint(batching=True)
    for number in range(60):
        plane.note(application, "subscription_count", "news", subscription_count=number)
    plane.collect()
    deliver()
    assert [len(call.events) for call in receiver.received] == [50, 10]
    assert [event["subscription_count"] for call in receiver.received for event in call.events] == list(range(60))


def test_a_batch_is_as_large_as_its_endpoint_wants_it(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver
) -> None:
    make_endpoint(batching=True, batch_events=4, batch_bytes=1_000)
    for number, size in enumerate([1, 1, 1, 1, 1, 600, 600, 3_000, 1]):
        plane.note(application, "client_event", "private-a", event="client-e", data="x" * size, socket_id=str(number))
    plane.collect()
    deliver()
    told = [[event["socket_id"] for event in call.events] for call in receiver.received]
    assert told == [["0", "1", "2", "3"], ["4", "5"], ["6"], ["7"], ["8"]]


def test_batching_that_is_switched_on_and_off_keeps_the_order(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint()
    for batching, numbers in ((False, (0, 1)), (True, (2, 3)), (False, (4, 5))):
        with tenant_scope(tenant):
            change_endpoint(tenant=tenant, endpoint=endpoint, batching=batching)
        for number in numbers:
            plane.note(application, "subscription_count", "news", subscription_count=number)
        plane.collect()
    deliver()
    told = [[event["subscription_count"] for event in call.events] for call in receiver.received]
    assert told == [[0], [1], [2, 3], [4], [5]]


def test_without_a_live_credential_pushers_way_says_so(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    with tenant_scope(tenant):
        Credential.objects.of(tenant).update(revoked_at=clock.now())
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    deliver()
    assert receiver.received == []
    with tenant_scope(tenant):
        assert Attempt.objects.get().outcome == "no_key"


def test_a_connection_is_used_again(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver
) -> None:
    make_endpoint()
    for name in ("channel_occupied", "channel_vacated", "channel_occupied"):
        plane.note(application, name, "news")
    plane.collect()
    deliver()
    assert (len(receiver.received), len(receiver.connections)) == (3, 1)


def test_a_name_that_turns_inward_is_refused_at_the_call(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver,
) -> None:  # fmt: skip
    make_endpoint(url="https://hooks.example.com/")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.7", 443))])
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    deliver()
    with tenant_scope(tenant):
        attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.excerpt) == ("address_refused", "address")


def test_a_large_answer_is_cut(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    receiver.replies.append(Reply(200, b"\0x" * 1_000_000))
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    deliver()
    with tenant_scope(tenant):
        attempt = Attempt.objects.get()
    assert (attempt.outcome, len(attempt.excerpt)) == ("delivered", 1_000)
