"""The circuit of one credential, as all workers see it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apps.core import valkey
from apps.providers import breaker
from apps.providers.base import Outcome, Result, Scope
from apps.providers.breaker import FAILURES, FIRST, LONGEST_HOLD, PROBE, Circuit, Permit, State

pytestmark = pytest.mark.usefixtures("clean_valkey")


@pytest.fixture
def circuit(region: str) -> Circuit:
    return Circuit(region, "4711", "apns", "pcr_1")


def _down(count: int, scope: Scope = Scope.PROVIDER, result: Result = Result.UNAVAILABLE) -> list[Outcome]:
    return [Outcome("id", result, scope, "503") for _ in range(count)]


def _up(count: int = 1) -> list[Outcome]:
    return [Outcome("id", Result.ACCEPTED) for _ in range(count)]


def _pass(circuit: Circuit, seconds: float) -> None:
    """Time goes by: every moment of the state lies so much earlier."""
    client = valkey.connect(circuit.region)
    for name in ("until", "probed"):
        known = client.hget(circuit.key, name)
        if known is not None:
            client.hset(circuit.key, name, str(float(known) - seconds))


def _opened(circuit: Circuit) -> None:
    assert breaker.record(circuit, _down(FAILURES))


def test_a_circuit_opens_after_so_many_failures_in_a_row(circuit: Circuit) -> None:
    assert not breaker.record(circuit, _down(FAILURES - 1))
    assert breaker.ask(circuit) == Permit()
    assert breaker.record(circuit, _down(1))
    permit = breaker.ask(circuit)
    assert FIRST - 1 < permit.wait <= FIRST * 1.25
    assert breaker.look(circuit).state is State.OPEN


def test_a_cut_connection_is_one_failure_however_much_was_under_way(circuit: Circuit) -> None:
    lost = _down(400, result=Result.UNKNOWN)
    for _slice in range(FAILURES - 1):
        assert not breaker.record(circuit, [*_up(), *lost] if _slice == 0 else lost)
    assert breaker.ask(circuit) == Permit()
    assert breaker.record(circuit, lost)


def test_lost_and_refused_pushes_of_a_slice_are_counted_apart(circuit: Circuit) -> None:
    mixed = [*_down(5, result=Result.UNKNOWN), *_down(1), *_down(5, result=Result.UNKNOWN), *_down(FAILURES - 3)]
    assert not breaker.record(circuit, mixed)
    assert breaker.record(circuit, _down(1))


@pytest.mark.parametrize("result", [Result.UNAVAILABLE, Result.UNKNOWN])
def test_an_answer_in_between_keeps_it_closed(circuit: Circuit, result: Result) -> None:
    for _round in range(3):
        breaker.record(circuit, [*_down(FAILURES - 1, result=result), *_up(), *_down(1, result=result)])
    assert breaker.look(circuit).state is State.CLOSED


@pytest.mark.parametrize("scope", [Scope.DEVICE, Scope.CREDENTIAL, Scope.MESSAGE])
def test_what_is_not_the_networks_failure_opens_nothing(circuit: Circuit, scope: Scope) -> None:
    assert not breaker.record(circuit, _down(FAILURES * 5, scope))
    assert breaker.ask(circuit) == Permit()


def test_a_refusal_is_an_answer(circuit: Circuit) -> None:
    refusals: Sequence[Outcome] = [Outcome("id", Result.REJECTED, Scope.DEVICE, "BadDeviceToken")]
    breaker.record(circuit, [*_down(FAILURES - 1), *refusals, *_down(1)])
    assert breaker.ask(circuit) == Permit()


def test_one_worker_tries_a_few_pushes_when_the_time_is_up(circuit: Circuit) -> None:
    _opened(circuit)
    _pass(circuit, FIRST * 2)
    assert breaker.look(circuit).state is State.HALF_OPEN
    assert breaker.ask(circuit) == Permit(0.0, PROBE)
    assert 0 < breaker.ask(circuit).wait <= 1


def test_a_good_try_closes_it(circuit: Circuit) -> None:
    _opened(circuit)
    _pass(circuit, FIRST * 2)
    breaker.ask(circuit)
    assert not breaker.record(circuit, _up(PROBE))
    assert (breaker.ask(circuit), breaker.look(circuit).state) == (Permit(), State.CLOSED)


def test_a_bad_try_opens_it_for_twice_as_long(circuit: Circuit) -> None:
    _opened(circuit)
    _pass(circuit, FIRST * 2)
    breaker.ask(circuit)
    assert breaker.record(circuit, _down(1))
    assert FIRST * 2 - 1 < breaker.ask(circuit).wait <= FIRST * 2 * 1.25


def test_a_worker_that_dies_while_it_tries_holds_nobody_up_for_long(circuit: Circuit) -> None:
    _opened(circuit)
    _pass(circuit, FIRST * 2)
    breaker.ask(circuit)
    _pass(circuit, breaker.PROBE_TIME + 1)
    assert breaker.ask(circuit) == Permit(0.0, PROBE)


def test_everybody_waits_when_the_network_asks_the_credential_to(circuit: Circuit) -> None:
    breaker.record(circuit, [*_up(3), Outcome("id", Result.THROTTLED, Scope.CREDENTIAL, "429", 30.0)])
    assert 29 < breaker.ask(circuit).wait <= 30
    assert breaker.look(circuit).state is State.HELD
    _pass(circuit, 31)
    assert breaker.ask(circuit) == Permit()


def test_a_limit_of_one_device_is_nobody_elses(circuit: Circuit) -> None:
    breaker.record(circuit, [Outcome("id", Result.THROTTLED, Scope.DEVICE, "429", 30.0)])
    assert breaker.ask(circuit) == Permit()


def test_a_wait_of_hours_holds_the_others_for_a_minute_only(circuit: Circuit) -> None:
    breaker.record(circuit, [Outcome("id", Result.THROTTLED, Scope.CREDENTIAL, "day_quota", 36_000.0)])
    assert breaker.ask(circuit).wait <= LONGEST_HOLD


def test_circuits_of_others_stay_closed(circuit: Circuit, region: str) -> None:
    _opened(circuit)
    for other in (Circuit(region, "4712", "apns", "pcr_1"), Circuit(region, "4711", "apns", "pcr_2")):
        assert breaker.ask(other) == Permit()
