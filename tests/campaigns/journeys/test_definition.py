"""What a journey may say, and how it is told what is wrong."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.errors import JourneyInvalid
from apps.campaigns.journeys.definition import Wait, WaitUntil
from apps.campaigns.journeys.graph import check_graph
from apps.campaigns.journeys.reading import read_definition
from apps.campaigns.journeys.waiting import end_of_wait
from tests.campaigns.journeys.world import a_journey, a_send, a_wait

END = {"id": "s", "kind": "end"}


def path_of_fault(raw: object) -> str:
    with pytest.raises(JourneyInvalid) as caught:
        check_graph(read_definition(raw))
    return caught.value.path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], ""),
        ({"steps": []}, "steps"),
        ({"steps": [END] * 51}, "steps"),
        ({"steps": [END], "colour": 1}, "colour"),
        ({"steps": [END], "trigger": {}}, "trigger.event"),
        ({"steps": [END], "trigger": {"event": "x", "where": [{"key": "a", "relation": "?"}]}},
         "trigger.where[0].relation"),
        ({"steps": [END], "reentry": {"rule": "sometimes"}}, "reentry.rule"),
        ({"steps": [END], "reentry": {"rule": "after"}}, "reentry.days"),
        ({"steps": [END], "reentry": {"rule": "once", "days": 2}}, "reentry.days"),
        ({"steps": [END], "reentry": {"rule": "once", "one_at_a_time": False}}, "reentry.one_at_a_time"),
        ({"steps": [END], "entries_per_minute": 0}, "entries_per_minute"),
        ({"steps": [END], "exits": [{"event": "a", "rules": {}}]}, "exits[0]"),
        ({"steps": [END], "exits": [{"rules": {"all": [{"field": "?"}]}}]}, "exits[0].rules.all[0].field"),
        ({"steps": [{"kind": "end"}]}, "steps[0].id"),
        ({"steps": [END, END]}, "steps[1].id"),
        ({"steps": [{"id": "a", "kind": "fly"}]}, "steps[0].kind"),
        ({"steps": [a_wait(59), END]}, "steps[0].seconds"),
        ({"steps": [a_wait(60, "nowhere")]}, "steps[0].next"),
        ({"steps": [{"id": "a", "kind": "wait_until", "time": "25:00"}]}, "steps[0].time"),
        ({"steps": [{"id": "a", "kind": "wait_until", "time": "09:00", "weekdays": [0]}]}, "steps[0].weekdays"),
        ({"steps": [{"id": "a", "kind": "branch", "then": None}]}, "steps[0].if"),
        ({"steps": [{"id": "a", "kind": "split", "ways": [{"percent": 50}, {"percent": 49}]}]}, "steps[0].ways"),
        ({"steps": [{"id": "a", "kind": "split", "ways": [{"percent": 101}, {"percent": 49}]}]},
         "steps[0].ways[0].percent"),
        ({"steps": [a_send(content=None)]}, "steps[0].content"),
        ({"steps": [a_send(content={"en": {"title": "{{"}})]}, "steps[0].content"),
        ({"steps": [a_send(content={"en": "Hi"})]}, "steps[0].content.en"),
        ({"steps": [a_send(routes=["pigeon"])]}, "steps[0].routes"),
        ({"steps": [a_send(routes=[{}])]}, "steps[0].routes"),
        ({"steps": [a_send(quiet_hours={"from": "x"})]}, "steps[0].quiet_hours"),
        ({"steps": [a_send(frequency_cap={"count": 0})]}, "steps[0].frequency_cap"),
        ({"steps": [{"id": "a", "kind": "update"}]}, "steps[0].attributes"),
        ({"steps": [END, a_wait(60, "s")]}, "steps[1]"),
        ({"steps": [a_send("a", "b"), a_send("b", "a")]}, "steps[0]"),
        ({"steps": [{"id": "a", "kind": "branch", "if": {"event": "x"}, "then": "a", "else": None}]}, "steps[0]"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_path(raw: object, path: str) -> None:
    assert path_of_fault(raw) == path


def test_a_loop_that_waits_is_a_journey() -> None:
    check_graph(read_definition(a_journey(a_send("a", "w"), a_wait(60, "a"))))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KNOWN = st.sampled_from(
    ["wait", "wait_until", "branch", "split", "send", "update", "end", "a", "b", "09:00", "x", 60, 50, None]
)


_VALUES = _JSON | _KNOWN | st.fixed_dictionaries({"event": _KNOWN})
_MEMBERS = (
    "id", "kind", "next", "seconds", "time", "weekdays", "if", "then", "else", "ways", "content", "routes",
    "attributes", "add_tags", "goal", "name", "ttl", "category", "follow_up", "template_id",
)  # fmt: skip
_STEPS = st.dictionaries(st.sampled_from(_MEMBERS), _VALUES, max_size=6).map(lambda step: {"id": "a", **step})


@given(
    steps=st.lists(_STEPS, max_size=3),
    more=st.dictionaries(st.sampled_from(["trigger", "reentry", "exits", "entries_per_minute"]), _VALUES, max_size=2),
)
def test_whatever_is_sent_is_read_or_refused(steps: list[Any], more: dict[str, Any]) -> None:
    with contextlib.suppress(JourneyInvalid):  # any other exception fails
        check_graph(read_definition({**more, "steps": steps}))


BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("shown", "weekdays", "zone", "arrived", "ends"),
    [
        (time(9), (), BERLIN, "2026-01-14T07:59:59Z", "2026-01-14T08:00:00Z"),
        (time(9), (), BERLIN, "2026-01-14T08:00:00Z", "2026-01-15T08:00:00Z"),  # never at once
        (time(9), (1,), BERLIN, "2026-01-14T12:00:00Z", "2026-01-19T08:00:00Z"),
        (time(9), (3,), NEW_YORK, "2026-01-14T14:00:00Z", "2026-01-21T14:00:00Z"),
        (time(2, 30), (), BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),  # does not exist: 03:30
        (time(2, 30), (), BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),  # exists twice: the first
        (time(2, 30), (), BERLIN, "2026-10-25T00:45:00Z", "2026-10-26T01:30:00Z"),  # and not the second
    ],
)
def test_when_a_local_time_comes(
    shown: time, weekdays: tuple[int, ...], zone: ZoneInfo, arrived: str, ends: str
) -> None:
    step = WaitUntil("a", "", None, shown, frozenset(weekdays))
    assert end_of_wait(step, datetime.fromisoformat(arrived), zone) == datetime.fromisoformat(ends)


@given(
    arrived=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    shown=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    weekdays=st.frozensets(st.integers(1, 7)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
)
def test_a_wait_lasts_and_ends_within_its_days(
    arrived: datetime, shown: time, weekdays: frozenset[int], zone: str
) -> None:
    ends = end_of_wait(WaitUntil("a", "", None, shown, weekdays), arrived, ZoneInfo(zone))
    assert arrived < ends <= arrived + timedelta(days=8 if weekdays else 1, hours=25)
    if weekdays:
        assert (ends.astimezone(ZoneInfo(zone))).isoweekday() in weekdays


def test_a_wait_of_seconds_goes_by_the_clock_and_not_by_the_wall() -> None:
    before_the_change = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert end_of_wait(Wait("a", "", None, 86_400), before_the_change, BERLIN) == before_the_change + timedelta(days=1)
