from __future__ import annotations

import pytest

from apps.realtime.protocol.channels import is_channel_name, is_publishable, kind_of, owner_of


@pytest.mark.parametrize(
    ("name", "needs_auth", "is_presence", "is_cached", "is_encrypted"),
    [
        ("news", False, False, False, False),
        ("cache-news", False, False, True, False),
        ("private-a", True, False, False, False),
        ("private-cache-a", True, False, True, False),
        ("private-encrypted-a", True, False, False, True),
        ("private-encrypted-cache-a", True, False, True, True),
        ("presence-a", True, True, False, False),
        ("presence-cache-a", True, True, True, False),
        ("privateer", False, False, False, False),
        ("myprivate-a", False, False, False, False),
        ("presence", False, False, False, False),
        ("Private-a", False, False, False, False),
    ],
)
def test_a_prefix_promises(name: str, needs_auth: bool, is_presence: bool, is_cached: bool, is_encrypted: bool) -> None:
    kind = kind_of(name)
    assert (kind.needs_auth, kind.is_presence, kind.is_cached, kind.is_encrypted) == (
        needs_auth, is_presence, is_cached, is_encrypted,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a", "a" * 164, "A-z_0=@,.;"])
def test_a_name_of_allowed_characters_is_one(name: str) -> None:
    assert is_channel_name(name)


@pytest.mark.parametrize("name", ["", "a" * 165, "a b", "é", "a/b", "#a", "a\n", None, 7, "#server-to-user-7"])
def test_another_name_is_none(name: object) -> None:
    assert not is_channel_name(name)


def test_a_users_own_channel_names_its_owner() -> None:
    assert owner_of("#server-to-user-7") == "7"
    assert is_publishable("#server-to-user-7")


@pytest.mark.parametrize("name", ["#server-to-user-", "#server-to-user-a b", "#other", "server-to-user-7"])
def test_no_other_name_has_an_owner(name: str) -> None:
    assert owner_of(name) is None
