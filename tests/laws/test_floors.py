"""No account is ever below its floor: at each prefix of its rows, and at each instant seen.

Real processes spend from the same accounts. What they saw bounds what the store had at any instant:
a hold stood at least from the answer of its beginning until its end was asked for, and at most from
when it was asked for until the answer of its end.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest
from spending_process import NOW, STEADY, STEADY_LIMIT, WALLET, Seen

from tokonomi.credits.grant import Grant
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_store import promote

PROCESSES: Final = 4
CALLS: Final = int(os.environ.get("TOKONOMI_FLOOR_CALLS", "120"))
GRANTS: Final = (300, 400, 500)
_GIVES: Final = ("fund", "release")
_BESIDE: Final = ("overrun",)
"""What is posted beside the balance, because no floor can hold a bill."""


class Row(NamedTuple):
    """A transfer, in the order of booking."""

    account: int
    kind: str
    amount: int
    call: str | None


class Bounds(NamedTuple):
    """What an account has taken at an instant, at least and at most."""

    at: int
    least: int
    most: int


class Spent(NamedTuple):
    """What the processes saw, and what the store has of it."""

    seen: Sequence[Seen]
    rows: Sequence[Row]
    names: dict[str, int]


def lowest_balances(rows: Iterable[Row]) -> Counter[int]:
    """The lowest balance of each account over all prefixes of its rows."""
    now, lowest = Counter[int](), Counter[int]()
    for row in rows:
        if row.kind not in _BESIDE:
            now[row.account] += row.amount if row.kind in _GIVES else -row.amount
            lowest[row.account] = min(lowest[row.account], now[row.account])
    return lowest


def bounds_of(account: int, spent: Spent) -> list[Bounds]:
    """What was taken from an account at each instant at which that may have changed."""
    kept, charged = Counter[str | None](), Counter[str | None]()
    for row in spent.rows:
        if row.account == account:
            charged[row.call] += row.amount
            kept[row.call] += 0 if row.kind in _BESIDE else row.amount
    steps = sorted(
        step
        for seen in spent.seen
        for step in _steps(seen, account, kept[seen.call], charged[seen.call])
    )
    least = accumulate(step[1] for step in steps)
    most = accumulate(step[2] for step in steps)
    return [Bounds(step[0], *both) for step, *both in zip(steps, least, most, strict=True)]


def _steps(seen: Seen, account: int, kept: int, charged: int) -> Iterator[tuple[int, int, int]]:
    """When a call's part of an account changes: the instant, by how much at least, and at most."""
    if seen.held is None:
        return
    assert seen.ended is not None, "every call has ended"
    held = seen.held.get(account, 0)
    low, high = min(held, kept), max(held, charged)
    yield seen.begun[0], 0, held
    yield seen.begun[1], held, 0
    yield seen.ended[0], low - held, high - held
    yield seen.ended[1], kept - low, charged - high


def most_during(bounds: Sequence[Bounds], first: int, last: int) -> int:
    """The most that may have been taken at one instant of a span of time."""
    before = [each for each in bounds if each.at < first]
    within = [each.most for each in bounds if first <= each.at <= last]
    return max([before[-1].most if before else 0, *within])


@pytest.fixture(scope="module")
def spent(new_store: Callable[[], Path | str]) -> Iterator[tuple[Database, Spent]]:
    """Accounts from which processes have spent at the same time, and their histories."""
    store = new_store()
    with closing(open_store(store)) as database:
        for number, amount in enumerate(GRANTS):
            grant = Grant(
                id=f"promotion/{number}",
                wallet=WALLET,
                amount=amount,
                granted_at=NOW,
                promotional=True,
            )
            promote(database, grant)
        script = Path(__file__).with_name("spending_process.py")
        processes = [
            subprocess.Popen(
                [sys.executable, script, str(store), f"p{number}", str(CALLS)],
                stdout=subprocess.PIPE,
            )
            for number in range(PROCESSES)
        ]
        told = [process.communicate(timeout=600)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES
        seen = [each for text in told for each in msgspec.json.decode(text, type=list[Seen])]
        rows = database.execute("SELECT account, kind, amount, call_id FROM transfer ORDER BY seq")
        names = dict(database.execute("SELECT name, id FROM account").fetchall())
        yield database, Spent(seen, [Row(*row) for row in rows], names)


@pytest.fixture(scope="module")
def steady(spent: tuple[Database, Spent]) -> dict[str, tuple[int, int]]:
    """The accounts whose limit never changed, and their limits."""
    database, _ = spent
    found = {
        name: (account, STEADY_LIMIT)
        for name, account in spent[1].names.items()
        if name.startswith(STEADY)
    }
    grants = database.execute("SELECT id, account, amount FROM wallet_grant").fetchall()
    return found | {name: (account, amount) for name, account, amount in grants}


def test_no_prefix_of_the_rows_takes_an_account_below_its_floor(
    spent: tuple[Database, Spent],
) -> None:
    """Among them is a budget that is raised and cut while it is spent from."""
    database, told = spent
    assert {row[0] for row in database.execute("SELECT floor FROM account")} == {0}
    kinds = {row.kind for row in told.rows if row.account == told.names["budget changing"]}
    assert kinds >= {"fund", "withdraw", "capture"}
    assert set(lowest_balances(told.rows).values()) == {0}


def test_at_no_instant_was_more_held_and_spent_than_the_limit(
    spent: tuple[Database, Spent], steady: dict[str, tuple[int, int]]
) -> None:
    _, told = spent
    peaks = {
        name: (max(each.least for each in bounds_of(account, told)), limit)
        for name, (account, limit) in steady.items()
    }
    assert all(peak <= limit for peak, limit in peaks.values())
    # It was tight: some account was seen at nine tenths of its limit.
    assert any(10 * peak >= 9 * limit for peak, limit in peaks.values())


def test_nothing_was_refused_that_would_have_fitted_all_the_while(
    spent: tuple[Database, Spent], steady: dict[str, tuple[int, int]]
) -> None:
    _, told = spent
    bounds = {name: bounds_of(account, told) for name, (account, _) in steady.items()}
    refused = [each for each in told.seen if each.refused_by == "steady"]
    assert refused
    for each in refused:
        assert most_during(bounds[each.steady], *each.begun) + each.wanted > STEADY_LIMIT


def test_nothing_is_held_in_the_end_and_the_books_balance(spent: tuple[Database, Spent]) -> None:
    database, told = spent
    assert verify(database).imbalances == ()
    assert only_row(database, "SELECT SUM(debits_pending) FROM account")[0] == 0
    ended = sum(each.ended is not None for each in told.seen)
    assert only_row(database, "SELECT count(*) FROM call")[0] == ended


def test_a_history_with_a_hold_too_many_is_found() -> None:
    """The checker itself: two calls that hold at once what only one of them may."""
    first = Seen("a.1", STEADY, 900, (0, 10), {1: 900}, ended=(40, 50))
    other = Seen("b.1", STEADY, 900, (20, 30), {1: 900}, ended=(60, 70))
    rows = [Row(1, "capture", 700, "a.1"), Row(1, "capture", 100, "b.1")]
    bounds = bounds_of(1, Spent([first, other], rows, {}))
    assert [each.least for each in bounds] == [0, 900, 900, 1_800, 1_600, 1_600, 800, 800]
    assert [each.most for each in bounds] == [900, 900, 1_800, 1_800, 1_800, 1_600, 1_600, 800]
    assert most_during(bounds, 71, 80) == 800
    assert lowest_balances([Row(1, "fund", 750, None), *rows])[1] == -50
