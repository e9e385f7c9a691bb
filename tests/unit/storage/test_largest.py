"""Amounts at the edge of 64 bits: refused with the numbers, never a failed row."""

import pytest
from ledger_calls import Calls

from tokonomi.money import INT64_MAX
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.ledger import Funding
from tokonomi.storage.ledger_check import verify

LARGEST = Funding("the largest", "USD", limit=INT64_MAX)
COUNTED = Funding("only counted", "USD", limit=5, floor=None)


def test_the_largest_budget_works_to_its_last_unit(database: Database, calls: Calls) -> None:
    assert calls.use(LARGEST, INT64_MAX - 1)
    assert calls.refused(LARGEST, 2).available == 1
    assert calls.use(LARGEST, 1)
    assert verify(database).imbalances == ()


@pytest.mark.parametrize("on", [LARGEST, COUNTED])
def test_what_no_column_holds_is_never_booked(
    database: Database, calls: Calls, on: Funding
) -> None:
    first = calls.begin(on, INT64_MAX // 2)
    second = calls.begin(on, INT64_MAX // 2)
    assert first is not None
    assert second is not None
    assert calls.begin(on, 2) is None
    calls.end(first, INT64_MAX * 3)
    calls.end(second, INT64_MAX * 3)
    columns = "debits_posted, debits_pending, overrun"
    posted, pending, overrun = only_row(database, f"SELECT {columns} FROM account")
    assert (posted + overrun, pending) == (INT64_MAX, 0)
    assert verify(database).imbalances == ()


def test_a_limit_that_rises_and_falls_for_ever_keeps_its_account(
    database: Database, calls: Calls
) -> None:
    for version in range(1, 7):
        limit = INT64_MAX // 2 if version % 2 else 100
        calls.use(Funding("raised", "USD", limit=limit, version=version), 1)
    assert verify(database).imbalances == ()
