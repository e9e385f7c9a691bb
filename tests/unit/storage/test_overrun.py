"""What calls use above their holds: taken from what is available, and never lost from sight."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger_calls import Calls

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.window import Period, Window, span_at
from tokonomi.credits.grant import Grant
from tokonomi.money import Money
from tokonomi.storage import budget_store
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_store import promote, wallets

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BUDGET = Funding("a budget", "USD", limit=100)
MOVED = "SELECT kind, amount FROM transfer WHERE call_id IS NOT NULL ORDER BY seq"
BALANCE = "SELECT debits_posted, debits_pending, overrun FROM account"


def used_above(calls: Calls, on: Funding | str, *, held: int, used: int) -> None:
    call = calls.begin(on, held)
    assert call is not None
    calls.end(call, used)


def test_what_is_used_above_a_hold_is_taken_from_what_is_available(
    database: Database, calls: Calls
) -> None:
    used_above(calls, BUDGET, held=30, used=80)
    assert database.execute(MOVED).fetchall() == [("capture", 80)]
    assert database.execute(BALANCE).fetchall() == [(80, 0, 0)]
    assert verify(database).imbalances == ()


def test_what_nothing_available_pays_for_is_overrun_and_counts_as_spent(
    database: Database, calls: Calls
) -> None:
    other = calls.begin(BUDGET, 60)
    used_above(calls, BUDGET, held=30, used=55)
    assert database.execute(MOVED).fetchall() == [("capture", 40), ("overrun", 15)]
    assert database.execute(BALANCE).fetchall() == [(40, 60, 15)]
    assert other is not None
    calls.end(other, 50)
    refused = calls.refused(BUDGET, 1)
    assert (refused.available, refused.spent, refused.limit) == (0, 105, 100)
    assert not refused.only_holds_block
    assert verify(database).imbalances == ()


def test_what_comes_free_makes_up_for_an_overrun_first(calls: Calls) -> None:
    other = calls.begin(BUDGET, 60)
    used_above(calls, BUDGET, held=40, used=55)
    waiting = calls.refused(BUDGET, 45)
    assert (waiting.available, waiting.reserved, waiting.spent) == (0, 60, 55)
    assert waiting.only_holds_block
    assert not calls.refused(BUDGET, 46).only_holds_block
    assert other is not None
    calls.end(other, 0)
    assert calls.begin(BUDGET, 46) is None
    assert calls.begin(BUDGET, 45) is not None


def test_a_budget_that_only_notifies_takes_all_that_was_used(
    database: Database, calls: Calls
) -> None:
    used_above(calls, Funding("counted", "USD", limit=10, floor=None), held=5, used=700)
    assert database.execute(BALANCE).fetchall() == [(700, 0, 0)]


def test_a_raised_limit_makes_up_for_an_overrun_and_a_lowered_one_keeps_it(
    database: Database, calls: Calls
) -> None:
    used_above(calls, BUDGET, held=100, used=130)
    raised = Funding(BUDGET.name, "USD", limit=150, version=1)
    assert calls.refused(raised, 21).available == 20
    assert calls.use(raised, 20)
    lowered = Funding(BUDGET.name, "USD", limit=90, version=2)
    assert calls.refused(lowered, 1).spent == 150
    assert verify(database).imbalances == ()


def grant(name: str, amount: int) -> Grant:
    return Grant(
        id=f"promotion/{name}",
        wallet="default:user:ani",
        amount=amount,
        granted_at=NOW,
        promotional=True,
    )


def test_a_wallet_pays_for_what_is_above_the_hold_from_all_its_grants(
    database: Database, calls: Calls
) -> None:
    for number in range(3):
        promote(database, grant(str(number), 100))
    used_above(calls, "default:user:ani", held=50, used=270)
    assert database.execute(MOVED).fetchall() == [
        ("capture", 100),
        ("capture", 100),
        ("capture", 70),
    ]
    [wallet] = wallets(database)
    assert (wallet.balance, wallet.overrun) == (30, 0)
    used_above(calls, "default:user:ani", held=30, used=45)
    [wallet] = wallets(database)
    assert (wallet.balance, wallet.overrun) == (0, 15)
    assert verify(database).imbalances == ()


def test_a_later_purchase_does_not_pay_for_an_overrun(database: Database, calls: Calls) -> None:
    promote(database, grant("first", 10))
    used_above(calls, "default:user:ani", held=10, used=15)
    promote(database, grant("second", 100))
    assert calls.use("default:user:ani", 100)
    [wallet] = wallets(database)
    assert (wallet.balance, wallet.overrun) == (0, 5)


def test_the_standing_of_a_subject_says_its_overrun(database: Database, calls: Calls) -> None:
    team = Budget(
        id="team",
        window=Window(period=Period.MONTH),
        currency="USD",
        amount=Money(100, "USD"),
        mode=Mode.HARD,
    )
    budget_store.create(database, team, now=NOW)
    start = span_at(team.window, UTC, NOW).start
    used_above(
        calls, Funding(account_name("team", "all", start), "USD", 100, version=1), held=90, used=130
    )
    [one] = budget_store.standings(database, team, NOW + timedelta(days=1))
    assert (one.balance.captured, one.balance.overrun, one.balance.spent) == (100, 30, 130)
    assert one.balance.available == 0


@pytest.mark.parametrize("on", [Funding("budget of somebody", "USD", limit=10), "user:nobody"])
def test_a_refused_request_leaves_no_account_behind(
    database: Database, calls: Calls, on: Funding | str
) -> None:
    refused = calls.refused(on, 11)
    assert refused.available == (0 if isinstance(on, str) else 10)
    assert database.execute("SELECT name FROM account").fetchall() == []
    assert database.execute("SELECT kind FROM transfer").fetchall() == []


def test_the_first_hold_makes_and_funds_the_account(database: Database, calls: Calls) -> None:
    call = calls.begin(BUDGET, 60)
    assert call is not None
    [held] = calls.open[call]
    rows = database.execute("SELECT id, name, credits_posted, debits_pending FROM account")
    assert rows.fetchall() == [(held.home, "a budget", 100, 60)]
    assert [part.account for part in held.parts] == [held.home]
    assert verify(database).imbalances == ()
