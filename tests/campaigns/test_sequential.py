"""The interval of a difference, held against simulations in which somebody looks after every single success."""

from __future__ import annotations

from random import Random

import pytest

from apps.campaigns.experiments.sequential import Group, difference, evidence, people_needed
from apps.campaigns.experiments.verdict import verdict_from_json, verdict_of

ALPHA = 0.05
LIMIT = 2.9957  # log(1 / ALPHA)
SEED = 20_260_520


def successes(random: Random, people: tuple[int, int], rates: tuple[float, float]) -> list[int]:
    """Which group each success falls to, in the order in which people come round to it, each in their own time."""
    moments = [
        (random.expovariate(1), group)
        for group in (0, 1)
        for _ in range(people[group])
        if random.random() < rates[group]
    ]
    return [group for _, group in sorted(moments)]


def looks(random: Random, people: tuple[int, int], rates: tuple[float, float]) -> list[tuple[Group, Group]]:
    counts = [0, 0]
    seen = []
    for group in successes(random, people, rates):
        counts[group] += 1
        seen.append((Group(people[0], counts[0]), Group(people[1], counts[1])))
    return seen


def naive_z(first: Group, second: Group) -> float:
    pooled = (first.successes + second.successes) / (first.people + second.people)
    deviation = (pooled * (1 - pooled) * (1 / first.people + 1 / second.people)) ** 0.5
    return abs(second.rate - first.rate) / deviation


@pytest.mark.parametrize("people", [(2_000, 2_000), (3_000, 1_000)])
def test_looking_after_every_success_claims_nothing_where_there_is_nothing(people: tuple[int, int]) -> None:
    random, fair = Random(SEED), people[1] / sum(people)
    claimed = fooled = 0
    for _ in range(200):
        seen = looks(random, people, (0.15, 0.15))
        claimed += any(evidence(first, second, fair) >= LIMIT for first, second in seen)
        fooled += any(naive_z(first, second) > 1.96 for first, second in seen[20:])
    assert claimed <= 200 * ALPHA
    assert fooled > 200 * 3 * ALPHA  # the usual test, looked at as often, is wrong many times as often


def test_a_real_difference_is_found_long_before_everybody_was_asked() -> None:
    random = Random(SEED)
    found = sum(
        any(evidence(first, second, 0.5) >= LIMIT for first, second in looks(random, (6_000, 6_000), (0.10, 0.13)))
        for _ in range(40)
    )
    assert found >= 36


def test_the_interval_covers_the_true_difference_at_every_look() -> None:
    random = Random(SEED)
    missed = 0
    for _ in range(60):
        share = 0.12 / (0.10 + 0.12)
        missed += any(
            evidence(first, second, share) >= LIMIT for first, second in looks(random, (2_000, 2_000), (0.10, 0.12))
        )
    assert missed <= 6


def test_an_interval_is_of_rates_and_holds_the_estimate() -> None:
    found = difference(Group(5_000, 500), Group(5_000, 650))
    assert found.estimate == pytest.approx(0.03)
    assert 0 < found.low < 0.03 < found.high < 0.06
    assert found.is_decided
    turned = difference(Group(5_000, 650), Group(5_000, 500))
    assert (turned.low, turned.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@pytest.mark.parametrize(("first", "second"), [((0, 0), (0, 0)), ((10, 0), (10, 0)), ((0, 0), (10, 5))])
def test_where_nothing_is_known_everything_is_possible(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = difference(Group(*first), Group(*second))
    assert (found.low, found.high) == (-1.0, 1.0)
    assert not found.is_decided


def test_a_few_successes_of_one_side_decide_nothing() -> None:
    assert not difference(Group(1_000, 0), Group(1_000, 5)).is_decided


def test_needed_people_would_really_decide() -> None:
    first, second = Group(1_000, 100), Group(1_000, 120)
    needed = people_needed(first, second)
    assert needed is not None
    factor = needed / 2_000
    assert difference(first.times(factor), second.times(factor)).is_decided
    assert not difference(first.times(factor * 0.8), second.times(factor * 0.8)).is_decided
    assert people_needed(Group(1_000, 100), Group(1_000, 100)) is None


def test_more_variants_ask_for_more_certainty() -> None:
    groups = {"a": Group(5_000, 500), "b": Group(5_000, 605)}
    assert verdict_of(groups).is_decided
    more = verdict_of({**groups, "c": Group(5_000, 490), "d": Group(5_000, 495), "e": Group(5_000, 480)})
    assert more.leader == "b"
    assert not more.is_decided


def test_a_verdict_survives_being_stored() -> None:
    verdict = verdict_of({"a": Group(5_000, 500), "b": Group(5_000, 650)})
    assert (verdict.leader, verdict.is_decided) == ("b", True)
    assert verdict_from_json(verdict.to_json()) == verdict


def test_without_any_success_the_first_leads_and_nothing_is_decided() -> None:
    verdict = verdict_of({"a": Group(100, 0), "b": Group(100, 0)})
    assert (verdict.leader, verdict.is_decided) == ("a", False)
