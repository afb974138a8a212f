"""Time-based codes: when they are good, that they are good once, and what the table keeps of their seed."""

from __future__ import annotations

from base64 import b32decode
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
import time_machine
from django.db import connection

from apps.accounts.errors import FactorRequired, TooManyAuthenticators, TooManyGuesses, WrongCode
from apps.accounts.models import Authenticator, OutgoingMail, User
from apps.accounts.services import factors
from apps.core.errors import NotFound
from apps.core.sealing import SealBroken
from tests.accounts.support import SEED, code_now, give_authenticator

STEP_BEGINS = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
RFC_SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("second", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_codes_are_those_of_rfc_6238(person: User, second: int, code: str) -> None:
    give_authenticator(person, RFC_SEED)
    with time_machine.travel(second, tick=False):
        assert factors.prove_code(user=person, code=code).user == person


@pytest.mark.parametrize(("later", "good"), [(0, True), (29, True), (30, False), (-1, False)])
def test_a_code_is_good_for_its_own_thirty_seconds(authenticator: Authenticator, later: int, good: bool) -> None:
    with time_machine.travel(STEP_BEGINS, tick=False):
        code = code_now()
    with time_machine.travel(STEP_BEGINS.timestamp() + later, tick=False):
        if good:
            assert factors.prove_code(user=authenticator.user, code=code) == authenticator
        else:
            with pytest.raises(WrongCode):
                factors.prove_code(user=authenticator.user, code=code)


@time_machine.travel(STEP_BEGINS, tick=False)
def test_a_code_is_good_once(authenticator: Authenticator) -> None:
    code = code_now()
    factors.prove_code(user=authenticator.user, code=code)
    with pytest.raises(WrongCode):
        factors.prove_code(user=authenticator.user, code=code)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 456", "-12345", "0" * 10_000])
def test_what_is_no_code_is_refused(authenticator: Authenticator, code: str) -> None:
    with pytest.raises(WrongCode):
        factors.prove_code(user=authenticator.user, code=code)


@pytest.mark.django_db(transaction=True)
def test_of_two_parallel_submissions_of_a_code_one_is_accepted(authenticator: Authenticator) -> None:
    results: list[str] = []
    barrier = Barrier(2)
    with time_machine.travel(STEP_BEGINS, tick=False):
        code = code_now()

        def submit() -> None:
            barrier.wait(5)
            try:
                factors.prove_code(user=authenticator.user, code=code)
                results.append("accepted")
            except (WrongCode, TooManyGuesses):
                results.append("refused")
            finally:
                connection.close()

        threads = [Thread(target=submit) for _n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert sorted(results) == ["accepted", "refused"]


def test_wrong_codes_make_the_next_try_wait_twice_as_long(authenticator: Authenticator) -> None:
    person = authenticator.user
    with time_machine.travel(STEP_BEGINS, tick=False) as clock:
        for pause in (1, 2, 4, 8):
            with pytest.raises(WrongCode):
                factors.prove_code(user=person, code="000000")
            with pytest.raises(TooManyGuesses) as refused:
                factors.prove_code(user=person, code=code_now())
            assert refused.value.retry_after == pause
            clock.shift(pause)
        factors.prove_code(user=person, code=code_now())
    authenticator.refresh_from_db()
    assert authenticator.throttling_failure_count == 0


@time_machine.travel(STEP_BEGINS, tick=False)
def test_using_one_authenticator_does_not_count_against_another(authenticator: Authenticator) -> None:
    person = authenticator.user
    second = give_authenticator(person, RFC_SEED)
    assert factors.prove_code(user=person, code=code_now(RFC_SEED)) == second
    authenticator.refresh_from_db()
    assert authenticator.throttling_failure_count == 0


def test_the_table_does_not_hold_the_seed(authenticator: Authenticator) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(a)::text FROM accounts_authenticator a")
        (row,) = cursor.fetchone()
    assert authenticator.manual_key not in row
    assert SEED.hex() not in row


def test_a_seed_moved_to_another_person_does_not_open(authenticator: Authenticator, neighbour: User) -> None:
    stolen = Authenticator.objects.create(user=neighbour, seed_sealed=authenticator.seed_sealed)
    with pytest.raises(SealBroken):
        _ = stolen.manual_key


@time_machine.travel(STEP_BEGINS, tick=False)
def test_enrolment_counts_only_after_a_right_code(person: User) -> None:
    pending = factors.start_enrolment(user=person)
    with pytest.raises(WrongCode):
        factors.prove_code(user=person, code=_code_of(pending))
    confirmed = factors.confirm_enrolment(user=person, name="Phone", code=_code_of(pending))
    assert (confirmed.pk, confirmed.confirmed, confirmed.name) == (pending.pk, True, "Phone")
    assert OutgoingMail.objects.get().kind == "factor_added"


def test_asking_to_enrol_again_keeps_the_seed(person: User) -> None:
    assert factors.start_enrolment(user=person).manual_key == factors.start_enrolment(user=person).manual_key


def test_a_person_has_at_most_five_authenticators(person: User) -> None:
    for _n in range(factors.MAX_AUTHENTICATORS):
        give_authenticator(person)
    with pytest.raises(TooManyAuthenticators):
        factors.start_enrolment(user=person)


def test_the_last_authenticator_of_a_role_that_needs_one_stays(authenticator: Authenticator) -> None:
    with pytest.raises(FactorRequired):
        factors.remove_authenticator(user=authenticator.user, public_id=authenticator.public_id, required=True)
    assert Authenticator.objects.filter(pk=authenticator.pk).exists()


def test_nobody_removes_the_authenticator_of_another_person(authenticator: Authenticator, neighbour: User) -> None:
    with pytest.raises(NotFound):
        factors.remove_authenticator(user=neighbour, public_id=authenticator.public_id, required=False)
    assert Authenticator.objects.filter(pk=authenticator.pk).exists()


def test_with_the_last_authenticator_the_recovery_codes_go(authenticator: Authenticator) -> None:
    person = authenticator.user
    factors.replace_recovery_codes(user=person)
    assert factors.remove_authenticator(user=person, public_id=authenticator.public_id, required=False) is False
    assert factors.recovery_codes_left(user=person) == 0


def _code_of(pending: Authenticator) -> str:
    return code_now(b32decode(pending.manual_key))
