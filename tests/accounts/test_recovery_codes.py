"""Recovery codes: shown once, kept as hashes, good once."""

from __future__ import annotations

import re
from threading import Barrier, Thread

import pytest
from django.db import connection

from apps.accounts.errors import WrongRecoveryCode
from apps.accounts.models import Authenticator, OutgoingMail, RecoveryCode, User
from apps.accounts.services import factors
from tests.accounts.support import give_authenticator


def test_ten_codes_of_24_base32_characters(person: User) -> None:
    codes = factors.replace_recovery_codes(user=person)
    assert len(set(codes)) == 10
    assert all(re.fullmatch("[A-Z2-7]{24}", code) for code in codes)


def test_only_hashes_are_kept(person: User) -> None:
    codes = factors.replace_recovery_codes(user=person)
    kept = set(RecoveryCode.objects.values_list("hash", flat=True))
    assert len(kept) == 10
    assert not kept & set(codes)


def test_a_code_stands_in_for_the_authenticator_once(authenticator: Authenticator) -> None:
    person = authenticator.user
    code = factors.replace_recovery_codes(user=person)[3]
    assert factors.use_recovery_code(user=person, code=code) == authenticator
    with pytest.raises(WrongRecoveryCode):
        factors.use_recovery_code(user=person, code=code)
    assert factors.recovery_codes_left(user=person) == 9
    assert OutgoingMail.objects.filter(kind="recovery_code_used").count() == 1


def test_a_code_may_be_typed_in_groups_and_small_letters(authenticator: Authenticator) -> None:
    code = factors.replace_recovery_codes(user=authenticator.user)[0]
    typed = " ".join(code[i : i + 4] for i in range(0, 24, 4)).lower()
    assert factors.use_recovery_code(user=authenticator.user, code=typed) == authenticator


def test_a_code_of_another_person_is_refused(authenticator: Authenticator, neighbour: User) -> None:
    give_authenticator(neighbour)
    code = factors.replace_recovery_codes(user=neighbour)[0]
    with pytest.raises(WrongRecoveryCode):
        factors.use_recovery_code(user=authenticator.user, code=code)
    assert factors.recovery_codes_left(user=neighbour) == 10


def test_new_codes_end_the_old_ones(authenticator: Authenticator) -> None:
    old = factors.replace_recovery_codes(user=authenticator.user)[0]
    factors.replace_recovery_codes(user=authenticator.user)
    with pytest.raises(WrongRecoveryCode):
        factors.use_recovery_code(user=authenticator.user, code=old)


@pytest.mark.django_db(transaction=True)
def test_of_two_parallel_uses_of_a_code_one_is_accepted(authenticator: Authenticator) -> None:
    code = factors.replace_recovery_codes(user=authenticator.user)[0]
    results: list[str] = []
    barrier = Barrier(2)

    def submit() -> None:
        barrier.wait(5)
        try:
            factors.use_recovery_code(user=authenticator.user, code=code)
            results.append("accepted")
        except WrongRecoveryCode:
            results.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=submit) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == ["accepted", "refused"]
