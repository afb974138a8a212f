import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import ids


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_public_id_decodes_to_its_number(number: int) -> None:
    assert ids.decode("sub", ids.encode("sub", number)) == number


def test_public_id_of_one_kind_is_not_one_of_another() -> None:
    assert ids.decode("dev", ids.encode("sub", 7).replace("sub_", "dev_")) is None


@given(st.text(max_size=40))
def test_foreign_text_is_no_public_id(text: str) -> None:
    assert ids.decode("sub", f"sub_{text}") is None


@pytest.mark.parametrize("changed", range(4, 26))
def test_public_id_with_one_changed_character_is_refused(changed: int) -> None:
    public_id = ids.encode("sub", 12345)
    other = "A" if public_id[changed] != "A" else "B"
    assert ids.decode("sub", public_id[:changed] + other + public_id[changed + 1 :]) is None
