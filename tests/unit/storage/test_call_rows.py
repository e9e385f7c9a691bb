"""Settled calls as rows: every column says what the call says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.money import INT64_MAX, Money
from tokonomi.pricing.charge import Charge, ChargeLine, Unpriced
from tokonomi.pricing.row import Meter
from tokonomi.storage.call_rows import COLUMNS, INSERT, instant, microseconds, row_of
from tokonomi.storage.database import Database, StoreRefused
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 1, 30, 12, 0, 0, 123_456, tzinfo=UTC)
LINES = (ChargeLine(Meter.INPUT, 200, 400_000, 80_000_000), ChargeLine(Meter.OUTPUT, 400, 2, 800))


def a_call(**changes: Any) -> Call:
    given: dict[str, Any] = {
        "intent": Intent(
            id="0af3.2",
            at=AT,
            dimensions=Dimensions(project="p", feature="f", user="u", tags=(("a", "1"),)),
            model="asked",
        ),
        "model_served": "served",
        "usage": Usage(at=AT, uncached_input=200, output=400, reported_cost=Money(5, "USD")),
        "cost": Charge("row-1", "USD", 80_000_800, LINES, 128),
        "status": Status.OK,
        "http_status": 200,
    }
    return Call(**{**given, **changes})


def as_columns(call: Call) -> dict[str, Any]:
    return dict(zip(COLUMNS, row_of(call), strict=True))


def test_a_row_holds_what_the_call_says() -> None:
    row = as_columns(a_call())
    assert (row["id"], row["request_id"], row["attempt"]) == ("0af3.2", "0af3", 2)
    assert (row["project"], row["feature"], row["end_user"]) == ("p", "f", "u")
    assert json.loads(row["tags"]) == {"a": "1"}
    assert (row["model_asked"], row["model_served"]) == ("asked", "served")
    assert (row["uncached_input"], row["output"], row["context_basis"]) == (200, 400, 200)
    assert (row["price_row_id"], row["bracket_from"], row["amount"]) == ("row-1", 128, 80_000_800)
    assert json.loads(row["lines"]) == [
        ["input", 200, 400_000, 80_000_000],
        ["output", 400, 2, 800],
    ]
    assert (row["reported_amount"], row["reported_currency"]) == (5, "USD")


def test_an_unpriced_call_has_a_reason_and_no_amount() -> None:
    row = as_columns(a_call(cost=Unpriced("no price source knows it")))
    assert (row["amount"], row["currency"], row["price_row_id"]) == (None, None, None)
    assert row["unpriced"] == "no price source knows it"


def test_quarantined_usage_is_kept_as_it_came() -> None:
    row = as_columns(a_call(usage=Quarantined("7 < 8", '{"a":1}'), cost=Unpriced("quarantined")))
    assert (row["quarantined"], row["raw_usage"]) == ("7 < 8", '{"a":1}')
    assert (row["source"], row["uncached_input"], row["output"]) == ("absent", 0, 0)


def test_an_amount_that_fits_no_column_is_unpriced_with_its_figure() -> None:
    row = as_columns(a_call(cost=Charge("row-1", "USD", INT64_MAX + 1, LINES)))
    assert row["amount"] is None
    assert str(INT64_MAX + 1) in row["unpriced"]


def test_the_store_takes_every_kind_of_row(database: Database) -> None:
    kinds = [
        a_call(),
        a_call(cost=Unpriced("x")),
        a_call(usage=Quarantined("x", "{}"), cost=Unpriced("x")),
        a_call(cost=Charge("row-1", "USD", INT64_MAX, ())),
    ]
    for number, call in enumerate(kinds):
        database.execute(INSERT, (f"{number}.1", *row_of(call)[1:]))
    assert database.execute("SELECT count(*) FROM call").fetchone() == (4,)


def test_a_settled_call_is_never_changed(database: Database) -> None:
    database.execute(INSERT, row_of(a_call()))
    with pytest.raises(StoreRefused, match="never changed"):
        database.execute("UPDATE call SET amount = 0")


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001
def test_an_instant_and_its_microseconds_are_each_others_inverse(naive: datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    assert instant(microseconds(at)) == at
