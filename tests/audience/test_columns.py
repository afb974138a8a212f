"""Columns of a file: guesses, checks, and rows that become people."""

from __future__ import annotations

import pytest

from apps.audience.importing.columns import Column, MappingRefused, RowReader, check_columns, guess_columns
from apps.audience.values import SubscriberIn, ValueProblem

_ALL = [
    Column("external_id"),
    Column("language"),
    Column("timezone"),
    Column("tags"),
    Column("attribute", "plan"),
    Column("attribute", "age", "number"),
    Column("attribute", "paid", "boolean"),
    Column("ignore"),
]


def test_columns_are_guessed_from_header_and_sample() -> None:
    header = ["E-Mail", "User ID", "Time-Zone", "lang", "Tags", "age", "zip", "paid", "", "id"]
    sample = [
        ["a@x.io", "1", "UTC", "en", "x", "36", "01234", "TRUE", "", "7"],
        ["b@x.io", "2", "UTC", "de", "", "-1.5", "99999", "false", "", "8"],
    ]

    assert guess_columns(header, sample) == [
        Column("attribute", "E-Mail"),
        Column("external_id"),
        Column("timezone"),
        Column("language"),
        Column("tags"),
        Column("attribute", "age", "number"),
        Column("attribute", "zip"),
        Column("attribute", "paid", "boolean"),
        Column("ignore"),
        Column("attribute", "id", "number"),
    ]


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ([Column("attribute", "a")], None),
        ([Column("external_id"), Column("external_id")], 1),
        ([Column("external_id"), Column("tags"), Column("tags")], 2),
        ([Column("external_id"), Column("attribute", "")], 1),
        ([Column("external_id"), Column("attribute", "x" * 10_000)], 1),
        ([Column("external_id"), Column("attribute", "a"), Column("attribute", "a")], 2),
        ([Column("external_id"), Column("password")], 1),
        ([Column("external_id"), Column("attribute", "a", "date")], 1),
        ([Column("external_id"), *(Column("attribute", str(n)) for n in range(101))], None),
    ],
)
def test_columns_that_make_no_person_are_refused(columns: list[Column], column: int | None) -> None:
    with pytest.raises(MappingRefused) as refused:
        check_columns(columns)

    assert refused.value.column == column


def test_a_row_becomes_a_person() -> None:
    row = ["ada", "ZH_hans", "Asia/Shanghai", "vip; beta|vip", " pro ", "-36.5", "Yes", "whatever"]

    assert RowReader(_ALL).read(row) == SubscriberIn(
        "ada", {"plan": "pro", "age": -36.5, "paid": True}, ("vip", "beta"), "zh-Hans", "Asia/Shanghai"
    )


def test_an_empty_cell_says_nothing() -> None:
    assert RowReader(_ALL).read(["ada", "", " ", "", "", "", "", ""]) == SubscriberIn("ada")


def test_the_apostrophe_of_our_export_is_taken_off() -> None:
    person = RowReader([Column("external_id"), Column("attribute", "note")]).read(["'-ada", "'=1+1"])

    assert person == SubscriberIn("-ada", {"note": "=1+1"})


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({0: ""}, "external_id_missing", "external_id"),
        ({0: "x" * 10_000}, "external_id_invalid", "external_id"),
        ({1: "?"}, "language_invalid", "language"),
        ({2: "Berlin"}, "timezone_unknown", "timezone"),
        ({3: "x" * 65}, "tags_invalid", "tags"),
        ({5: "12,5"}, "not_a_number", "attributes.age"),
        ({5: "nan"}, "not_a_number", "attributes.age"),
        ({5: "1e999"}, "attribute_value_invalid", "attributes.age"),
        ({5: "1e99"}, "attribute_value_invalid", "attributes.age"),
        ({6: "maybe"}, "not_true_or_false", "attributes.paid"),
        ({4: "长" * 6_000}, "attributes_too_large", "attributes"),
    ],
)
def test_a_bad_cell_is_refused_with_its_field(changed: dict[int, str], code: str, field: str) -> None:
    row = ["ada", "en", "UTC", "vip", "pro", "36", "true", ""]
    for index, cell in changed.items():
        row[index] = cell

    with pytest.raises(ValueProblem) as problem:
        RowReader(_ALL).read(row)

    assert (problem.value.code, problem.value.field) == (code, field)


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueProblem, match="wrong_number_of_columns"):
        RowReader(_ALL).read(["ada"])
