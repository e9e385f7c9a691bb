from decimal import Decimal

import pytest

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.json_fields import (
    MAX_COUNT,
    exact_number,
    has_values,
    object_at,
    objects_at,
    part_count,
    reported_count,
    shortened,
    text_at,
    unknown_keys,
)
from tokonomi.usage import COUNTS


def test_absent_and_null_counts_are_none_and_zero_is_zero():
    fields: dict[str, object] = {"null": None, "zero": 0, "most": MAX_COUNT}
    assert [reported_count(fields, key) for key in ("gone", "null", "zero", "most")] == [
        None,
        None,
        0,
        MAX_COUNT,
    ]
    assert [part_count(fields, key) for key in ("gone", "null", "most")] == [0, 0, MAX_COUNT]


@pytest.mark.parametrize("value", [True, False, 0.0, 1.0, "", "1", [], {}, -1, MAX_COUNT + 1])
def test_what_is_no_count_is_refused_with_its_name(value: object):
    with pytest.raises(
        ImpossibleUsage, match=r"tokens is .*, not a count from 0 to 10000000000\.$"
    ):
        reported_count({"tokens": value}, "tokens")


def test_all_counts_of_a_call_at_their_limit_still_cost_less_than_64_bits_hold():
    dearest_pico_usd_per_token = 900 * 10**12 // 10**6
    assert MAX_COUNT * dearest_pico_usd_per_token < 2**63
    assert len(COUNTS) < 20


def test_objects_and_texts_are_read_only_where_they_are():
    fields: dict[str, object] = {"o": {"a": 1}, "l": [{"b": 2}, 3, None], "t": "x", "n": None}
    assert object_at(fields, "o") == {"a": 1}
    assert object_at(fields, "n") is None
    assert list(objects_at(fields, "l")) == [{"b": 2}]
    assert list(objects_at(fields, "t")) == []
    assert (text_at(fields, "t"), text_at(fields, "o"), text_at(fields, "gone")) == ("x", "", "")
    with pytest.raises(ImpossibleUsage, match='t is "x", not an object'):
        object_at(fields, "t")


def test_an_object_of_nulls_says_nothing_and_a_wrong_value_says_something():
    assert not has_values({})
    assert not has_values({"a": None})
    assert has_values({"a": 0})
    assert has_values([])


def test_unknown_keys_are_sorted_and_carry_their_path():
    fields: dict[str, object] = {"known": 1, "b": 2, "a": 3}
    assert unknown_keys(fields, frozenset({"known", "a", "b"})) == ()
    assert unknown_keys(fields, frozenset({"known"})) == ("a", "b")
    assert unknown_keys(fields, frozenset({"known"}), within="details") == (
        "details.a",
        "details.b",
    )
    assert [len(key) for key in unknown_keys({"k" * 500: 1}, frozenset())] == [80]


def test_values_in_reasons_are_short():
    assert shortened(["x" * 200]) == f'["{"x" * 78}...'
    assert shortened(Decimal("1.5")) == '"1.5"'


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, None),
        (0, "0"),
        (3, "3"),
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        ("0.00012", "0.00012"),
        (999_999.5, "999999.5"),
        (Decimal("0.000000000000000001"), "0.000000000000000001"),
    ],
)
def test_a_number_is_what_its_json_text_says(value: object, number: str | None):
    assert exact_number(value, "cost") == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    "value",
    [-1, -0.5, True, "x", "", "Infinity", float("nan"), float("inf"), [], "1e6", "1e999999"],
)
def test_what_is_no_amount_is_refused(value: object):
    with pytest.raises(ImpossibleUsage, match=r"cost is .*, not an amount\.$"):
        exact_number(value, "cost")
