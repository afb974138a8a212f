"""When somebody gets a campaign, and why not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.planner import Due, Facts, Rules, Suppressed, plan, spread
from apps.campaigns.planner.caps import CapAction, FrequencyCap
from apps.campaigns.planner.decision import HORIZON
from apps.campaigns.planner.rules import BestHour, LocalTime, Missed
from apps.campaigns.planner.slots import DAY, MINUTE, Slots, Window
from apps.messaging.ledger.states import Reason
from apps.messaging.sending.hours import QuietAction, QuietHours, zone_names, zone_of

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = Facts("de-AT", "Europe/Vienna")  # UTC+2 in May
NIGHT = QuietHours(time(22), time(8), QuietAction.HOLD)
SIX_PM = datetime(2026, 5, 20, 18)


def rules(**given: Any) -> Rules:
    return Rules(base=given.pop("base", NOON), languages=("en", "de"), default_language="en", **given)


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


def due_at(facts: Facts, said: Rules, now: datetime = NOON) -> datetime:
    decision = plan(facts, said, now=now)
    assert isinstance(decision, Due), decision
    return decision.due_at


def test_somebody_is_due_at_the_campaigns_time_in_their_language() -> None:
    assert plan(ANN, rules(), now=NOON - HOUR) == Due(NOON, "de", NOON)


def test_nothing_is_due_before_the_run_starts() -> None:
    assert due_at(ANN, rules(), now=NOON + HOUR) == NOON + HOUR


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts("", "", refuses=True, refuses_category=True), Reason.OPTED_OUT),
        (Facts("", "", refuses_category=True), Reason.PREFERENCE_OFF),
    ],
)
def test_who_does_not_want_it_is_left_out(facts: Facts, reason: Reason) -> None:
    assert plan(facts, rules(), now=NOON) == Suppressed(reason)


def test_what_expires_before_it_is_due_is_suppressed() -> None:
    said = rules(ttl=HOUR)
    assert plan(ANN, said, now=NOON + HOUR) == Suppressed(Reason.EXPIRED, NOON + HOUR)
    assert due_at(ANN, said, now=NOON + HOUR - timedelta(microseconds=1)) == NOON + HOUR - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [
        ("Europe/Vienna", at(16)),
        ("America/New_York", at(22)),
        ("Asia/Tokyo", at(9, day=21)),  # 18:00 had passed there: tomorrow
        ("", at(18)),  # the fallback
        ("Mars/Olympus", at(18)),
    ],
)
def test_a_local_time_is_each_persons_own(timezone: str, expected: datetime) -> None:
    said = rules(timing=LocalTime(SIX_PM, Missed.NEXT_DAY))
    assert due_at(Facts("en", timezone), said) == expected


def test_who_is_late_for_a_local_time_is_left_out_or_gets_it_now_as_the_campaign_says() -> None:
    tokyo = Facts("en", "Asia/Tokyo")
    assert plan(tokyo, rules(timing=LocalTime(SIX_PM, Missed.SKIP)), now=NOON) == Suppressed(Reason.LOCAL_TIME_PASSED)
    assert due_at(tokyo, rules(timing=LocalTime(SIX_PM, Missed.NOW))) == NOON
    weeks_ago = rules(timing=LocalTime(datetime(2026, 4, 1, 18), Missed.NEXT_DAY))
    assert due_at(tokyo, weeks_ago) == at(9, day=21)


@pytest.mark.parametrize(
    ("best", "expected"),
    [(None, at(8, day=21)), (20, at(18)), (14, NOON), (13, at(11, day=21)), (0, at(22))],
)
def test_a_best_hour_comes_within_a_day(best: int | None, expected: datetime) -> None:
    """It is 14:00 in Vienna: the hour of now is now, one that has passed is tomorrow's, without habits it is 10."""
    said = rules(timing=BestHour(10))
    assert due_at(Facts("de", "Europe/Vienna", best_hour=best), said) == expected


def test_quiet_hours_hold_until_they_end_or_drop() -> None:
    late = at(21)  # 23:00 in Vienna
    assert due_at(ANN, rules(base=late, quiet=NIGHT), now=late) == at(6, day=21)
    drop = QuietHours(time(22), time(8), QuietAction.DROP)
    assert plan(ANN, rules(base=late, quiet=drop), now=late) == Suppressed(Reason.QUIET_HOURS, late)
    assert due_at(Facts("en", "America/New_York"), rules(base=late, quiet=drop), now=late) == late


def test_what_is_held_beyond_its_ttl_is_not_sent() -> None:
    late = at(21)
    assert plan(ANN, rules(base=late, quiet=NIGHT, ttl=9 * HOUR), now=late) == Suppressed(Reason.EXPIRED, at(6, day=21))
    assert due_at(ANN, rules(base=late, quiet=NIGHT, ttl=9 * HOUR + timedelta(seconds=1)), now=late) == at(6, day=21)


def test_a_cap_skips_or_defers_and_then_quiet_hours_are_asked_again() -> None:
    sent = (at(1, day=18), at(21, day=19))
    facts = Facts("de", "Europe/Vienna", sends=sent)
    skip = FrequencyCap(2, 3, CapAction.SKIP)
    assert plan(facts, rules(cap=skip), now=NOON) == Suppressed(Reason.FREQUENCY_CAP, NOON)
    defer = FrequencyCap(2, 3, CapAction.DEFER)
    assert due_at(facts, rules(cap=defer)) == at(1, day=21)
    assert due_at(facts, rules(cap=defer, quiet=NIGHT)) == at(6, day=21)  # 03:00 in Vienna is quiet
    assert due_at(facts, rules(cap=FrequencyCap(3, 3))) == NOON


def test_a_cap_counts_what_is_planned_for_later_too_but_not_what_is_far() -> None:
    tomorrow = Facts("en", "", sends=(at(12, day=21),))
    assert isinstance(plan(tomorrow, rules(cap=FrequencyCap(1, 2)), now=NOON), Suppressed)
    assert due_at(tomorrow, rules(cap=FrequencyCap(1, 1))) == NOON


@given(
    st.lists(st.integers(0, 20 * 24), min_size=1, max_size=12), st.integers(1, 4), st.integers(1, 5),
    st.integers(0, 20 * 24),
)  # fmt: skip
def test_a_deferred_message_never_makes_a_window_too_full(hours: list[int], count: int, days: int, wanted: int) -> None:
    sends = tuple(NOON + hour * HOUR for hour in sorted(hours))
    cap = FrequencyCap(count, days, CapAction.DEFER)
    free = cap.free_at(NOON + wanted * HOUR, sends)

    def is_too_full(moment: datetime) -> bool:
        """Hour by hour: does a window with this moment in it hold more than the cap, by this moment's fault?"""
        starts = [moment - offset * HOUR for offset in range(days * 24)]
        return any(sum(start <= sent < start + cap.window for sent in sends) >= count for start in starts)

    assert not is_too_full(free)
    assert all(is_too_full(NOON + hour * HOUR) for hour in range(wanted, int((free - NOON) / HOUR)))


def slots(limit: int | None = None, per_day: int | None = None) -> Slots:
    windows = [Window(MINUTE, limit)] if limit else []
    return Slots(*windows, *([Window(DAY, per_day)] if per_day else []))


def test_a_throttle_gives_each_minute_so_many_and_no_more() -> None:
    decision = plan(ANN, rules(), now=NOON)
    assert isinstance(decision, Due)
    given = [(one.due_at, n) for one, n in spread(decision, 25, ANN, rules(), slots(10)) if isinstance(one, Due)]
    assert given == [(at(12, 0), 10), (at(12, 1), 10), (at(12, 2), 5)]


def test_a_slot_that_falls_into_quiet_hours_moves_behind_them() -> None:
    said = rules(base=at(19, 59), quiet=NIGHT)  # 21:59 in Vienna
    decision = plan(ANN, said, now=at(19, 59))
    assert isinstance(decision, Due)
    given = [(one.due_at, n) for one, n in spread(decision, 3, ANN, said, slots(2)) if isinstance(one, Due)]
    assert given == [(at(19, 59), 2), (at(6, 0, day=21), 1)]


def test_what_a_full_day_of_the_provider_pushes_past_its_ttl_is_told_so() -> None:
    said = rules(ttl=2 * HOUR)
    decision = plan(ANN, said, now=NOON)
    assert isinstance(decision, Due)
    given = list(spread(decision, 5, ANN, said, slots(per_day=3)))
    assert given == [(decision, 3), (Suppressed(Reason.PROVIDER_QUOTA, at(0, day=21)), 2)]
    unlimited = plan(ANN, rules(), now=NOON)
    assert isinstance(unlimited, Due)
    assert [n for _, n in spread(unlimited, 5, ANN, rules(), slots(per_day=3))] == [3, 2]


ZONES = sorted(zone_names())
FACTS = st.builds(
    Facts, st.just("en"), st.sampled_from(ZONES), best_hour=st.none() | st.integers(0, 23),
    sends=st.lists(st.integers(-90, 90).map(lambda n: NOON + n * HOUR), max_size=4).map(lambda one: tuple(sorted(one))),
)  # fmt: skip
QUIET = st.builds(
    QuietHours, st.integers(0, 11).map(time), st.integers(12, 23).map(time), st.sampled_from(QuietAction)
) | st.builds(QuietHours, st.integers(12, 23).map(time), st.integers(0, 11).map(time), st.sampled_from(QuietAction))
WALLS = st.integers(-48, 96).map(lambda n: datetime(2026, 5, 20) + n * HOUR)
RULES = st.builds(
    Rules, st.integers(-24, 48).map(lambda n: NOON + n * HOUR), st.just(("en",)), st.just("en"), st.just("UTC"),
    st.none() | st.builds(BestHour, st.integers(0, 23)) | st.builds(LocalTime, WALLS, st.sampled_from(Missed)),
    st.none() | st.integers(1, 100).map(lambda n: n * HOUR), st.none() | QUIET,
    st.none() | st.builds(FrequencyCap, st.integers(1, 3), st.integers(1, 4), st.sampled_from(CapAction)),
)  # fmt: skip


@given(FACTS, RULES, st.integers(1, 40), st.integers(1, 7))
def test_whatever_the_rules_each_one_of_them_holds_for_everybody_who_is_due(
    facts: Facts, said: Rules, people: int, limit: int
) -> None:
    decision = plan(facts, said, now=NOON)
    if isinstance(decision, Suppressed):
        return
    given = list(spread(decision, people, facts, said, slots(limit)))
    assert sum(n for _, n in given) == people
    minutes: dict[datetime, int] = {}
    for one, n in given:
        if isinstance(one, Due):
            minutes[one.due_at.replace(second=0)] = minutes.get(one.due_at.replace(second=0), 0) + n
            assert one.due_at >= max(NOON, one.wanted)
            assert one.expires_at is None or one.due_at < one.expires_at
            assert one.due_at - one.wanted <= HORIZON
            assert said.quiet is None or not said.quiet.cover(one.due_at, zone_of(facts.timezone, "UTC"))
            assert said.cap is None or said.cap.free_at(one.due_at, facts.sends) == one.due_at
    assert max(minutes.values(), default=0) <= limit


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=30), st.integers(1, 5))
def test_slots_are_the_first_free_ones_and_survive_being_written_down(
    wanted: list[tuple[int, int]], limit: int
) -> None:
    window, taken = Window(MINUTE, limit), dict.fromkeys(range(500), 0)
    for minute, people in wanted:
        window = Window(MINUTE, limit, {"full": window.to_json()["full"], "partial": dict(window.partial)})
        for _ in range(people):
            free = Slots(window).first_free(datetime.fromtimestamp(minute * 60, UTC))
            slow = next(n for n in range(minute, 500) if taken[n] < limit)
            assert free == datetime.fromtimestamp(slow * 60, UTC)
            assert Slots(window).take(free, 1) == 1
            taken[slow] += 1
