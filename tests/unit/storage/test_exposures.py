"""What failed calls may have cost: counted on budgets, never on wallets, and given back once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_calls import Calls

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.exposures import Released, release_exposure
from tokonomi.storage.ledger import Funding
from tokonomi.storage.ledger_check import verify

AT = datetime(2026, 11, 1, tzinfo=UTC)
BUDGET = Funding("a budget", "USD", limit=100)
FIGURES = "SELECT debits_posted, debits_pending, exposed FROM account"
BILL = "not on the bill of 2026-11"


def exposed(calls: Calls, on: Funding | str, *, held: int, used: int = 0, more: int) -> str:
    """The id of a call that used this much, and may have cost so much more."""
    call = calls.begin(on, held)
    assert call is not None
    calls.end(call, used, exposed=more)
    return call


def test_what_is_exposed_is_gone_from_a_budget_and_is_not_spend(
    database: Database, calls: Calls
) -> None:
    exposed(calls, BUDGET, held=80, used=10, more=50)
    assert only_row(database, FIGURES) == (60, 0, 50)
    refused = calls.refused(BUDGET, 41)
    assert (refused.available, refused.spent, refused.exposed) == (40, 10, 50)
    assert refused.exposure_blocks
    assert not calls.refused(BUDGET, 91).exposure_blocks
    assert verify(database).imbalances == ()


def test_no_more_is_exposed_than_was_held(database: Database, calls: Calls) -> None:
    exposed(calls, BUDGET, held=30, used=10, more=90)
    assert only_row(database, FIGURES) == (30, 0, 20)


def test_a_release_gives_back_what_was_exposed_once_and_says_why(
    database: Database, calls: Calls
) -> None:
    call = exposed(calls, BUDGET, held=80, used=10, more=50)
    first = release_exposure(database, call, reason=BILL, now=AT)
    assert first == [Released("a budget", "USD", 50, AT, BILL)]
    again = release_exposure(database, call, reason="twice", now=AT + timedelta(days=1))
    assert again == first
    assert only_row(database, FIGURES) == (10, 0, 0)
    assert calls.use(BUDGET, 90)
    assert verify(database).imbalances == ()


def test_a_rehearsed_release_tells_what_it_would_do_and_does_nothing(
    database: Database, calls: Calls
) -> None:
    call = exposed(calls, BUDGET, held=80, more=50)
    [told] = release_exposure(database, call, reason=BILL, now=AT, dry_run=True)
    assert told.amount == 50
    assert only_row(database, FIGURES) == (50, 0, 50)


def test_many_who_release_at_once_release_once(
    store: Path | str, database: Database, calls: Calls
) -> None:
    call = exposed(calls, BUDGET, held=80, more=50)

    def release(number: int) -> list[Released]:
        with closing(open_store(store)) as own:
            return release_exposure(own, call, reason=f"bill {number}", now=AT)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(release, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert only_row(database, FIGURES) == (0, 0, 0)
    assert verify(database).imbalances == ()


def test_a_call_that_exposes_nothing_cannot_be_released(database: Database, calls: Calls) -> None:
    call = exposed(calls, BUDGET, held=80, used=70, more=0)
    for unknown in (call, "nobody.1"):
        with pytest.raises(NotFound, match="counts an exposure"):
            release_exposure(database, unknown, reason=BILL, now=AT)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines"])
def test_a_release_needs_a_reason(database: Database, calls: Calls, reason: str) -> None:
    call = exposed(calls, BUDGET, held=80, more=50)
    with pytest.raises(BadInput, match="reason"):
        release_exposure(database, call, reason=reason, now=AT)
    assert only_row(database, FIGURES) == (50, 0, 50)


def test_a_limit_that_was_lowered_below_the_exposure_holds_after_its_release(
    database: Database, calls: Calls
) -> None:
    call = exposed(calls, BUDGET, held=80, more=80)
    lowered = Funding(BUDGET.name, "USD", limit=30, version=1)
    assert calls.refused(lowered, 1).available == 0
    release_exposure(database, call, reason=BILL, now=AT)
    refused = calls.refused(lowered, 31)
    assert (refused.available, refused.limit) == (30, 30)
    assert verify(database).imbalances == ()
