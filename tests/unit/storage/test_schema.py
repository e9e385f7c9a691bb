"""What the schema itself refuses: each guard is seen to be one by taking it away."""

import re
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger_calls import NOW, Calls, calls_in

from tokonomi.calls import Dimensions, Intent
from tokonomi.errors import StoreError
from tokonomi.ledger.account import Balance
from tokonomi.storage import engine, locked_accounts
from tokonomi.storage.call_groups import Begin, write_group
from tokonomi.storage.database import Database, Dialect, Row, StoreBusy, StoreRefused
from tokonomi.storage.engine import migrations, open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify

BUDGET = Funding("a budget", "USD", limit=100)
SECOND_CAPTURE = (
    "INSERT INTO transfer (kind, account, sink, amount, call_id, at_us)"
    " SELECT kind, account, sink, amount, call_id, at_us FROM transfer WHERE kind = 'capture'"
)
HOLD_TOO_MUCH = "UPDATE account SET debits_pending = 71"
FLOOR = "floor IS NULL OR credits_posted - debits_posted - debits_pending >= floor"
GUARDS = {
    "the unique index": (r"CREATE UNIQUE INDEX one_resolution[^;]*;", "", SECOND_CAPTURE, "fold"),
    "the floor": (re.escape(FLOOR), "1 = 1", HOLD_TOO_MUCH, "holds"),
    "the pending part of the floor": (
        re.escape("- debits_pending >= floor"),
        ">= floor",
        HOLD_TOO_MUCH,
        "holds",
    ),
    "the trigger on changes": (
        r"CREATE TRIGGER transfer_is_never_changed.*?END;",
        "",
        "UPDATE transfer SET amount = 1 WHERE kind = 'capture'",
        "fold",
    ),
    "the trigger on removals": (
        r"CREATE TRIGGER transfer_is_never_removed.*?END;",
        "",
        "DELETE FROM transfer WHERE kind = 'capture'",
        "fold",
    ),
}
guards = pytest.mark.parametrize("guard", GUARDS)


@pytest.fixture
def store(new_bare_store: Callable[[], Path | str]) -> Path | str:
    """A place without a schema: it is made with a guard less."""
    return new_bare_store()


def used(database: Database) -> Database:
    """The store after a call that used 30 of 100."""
    assert calls_in(database).use(BUDGET, 30)
    assert verify(database).imbalances == ()
    return database


@guards
def test_the_schema_refuses_what_would_unbalance_the_books(database: Database, guard: str) -> None:
    attack = GUARDS[guard][2]
    with pytest.raises(StoreRefused):
        used(database).execute(attack)
    assert verify(database).imbalances == ()


@guards
def test_without_the_guard_the_same_attack_succeeds_and_the_check_of_the_books_tells(
    store: Path | str, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    pattern, replacement, attack, law = GUARDS[guard]

    def unguarded(dialect: Dialect) -> list[tuple[int, str]]:
        whole = migrations(dialect)
        steps = [(n, re.sub(pattern, replacement, text, flags=re.DOTALL)) for n, text in whole]
        assert steps != whole
        return steps

    monkeypatch.setattr(engine, "migrations", unguarded)
    with closing(open_store(store)) as database:
        used(database).execute(attack)
        assert law in {found.law for found in verify(database).imbalances}


@pytest.mark.parametrize(
    ("attack", "laws"),
    [
        ("UPDATE account SET overrun = 7", {"fold", "conservation"}),
        ("UPDATE account SET credits_posted = 150", {"fold", "conservation"}),
        (
            (
                "INSERT INTO transfer (kind, account, sink, amount, at_us)"
                " SELECT 'fund', id, 'isued', 0, 0 FROM account"
            ),
            {"sink"},
        ),
        (
            (
                "INSERT INTO transfer (kind, account, sink, amount, call_id, at_us)"
                " SELECT 'capture', id, 'revenue', 0, 'x.1', 0 FROM account"
            ),
            {"sink"},
        ),
        (
            (
                "INSERT INTO transfer (kind, account, sink, amount, call_id, at_us)"
                " SELECT 'overrun', id, 'overrun', 5, 'x.1', 0 FROM account"
            ),
            {"fold", "conservation"},
        ),
    ],
)
def test_what_the_schema_lets_pass_the_check_of_the_books_tells(
    database: Database, attack: str, laws: set[str]
) -> None:
    used(database).execute(attack)
    assert {found.law for found in verify(database).imbalances} == laws


def test_the_schema_stops_a_decision_that_forgets_what_is_held(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calls.begin(BUDGET, 70) is not None

    def forgetful(balance: Balance) -> int:
        return balance.credits_posted - balance.debits_posted

    monkeypatch.setattr(Balance, "available", property(forgetful))
    with pytest.raises(StoreRefused, match="floor_holds"):
        calls.begin(BUDGET, 70)


def test_writers_with_crossed_accounts_wait_in_line_and_never_in_a_circle(
    store: Path | str,
) -> None:
    budgets = [Funding(f"budget {n}", "USD", limit=10_000) for n in range(4)]
    failures: list[StoreError] = []

    def write(order: list[Funding], prefix: str) -> None:
        with closing(open_store(store)) as database:
            worker = calls_in(database).worker
            for number in range(50):
                intent = Intent(
                    id=f"{prefix}{number}.1", at=NOW, dimensions=Dimensions(), model="m"
                )
                claims = tuple(Claim(on.name, 1, on) for on in order)
                try:
                    write_group(database, worker, [Begin(intent, claims)], at_us=1)
                except StoreError as error:
                    failures.append(error)

    threads = [
        threading.Thread(target=write, args=(order, name))
        for name, order in (("a", budgets), ("b", budgets[::-1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(open_store(store)) as database:
        held = database.execute("SELECT debits_pending FROM account ORDER BY id").fetchall()
    assert held == [(100,)] * 4


def test_writers_that_lock_in_another_order_are_told_of_the_circle_on_postgresql(
    postgres_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = tuple(Claim(name, 1, Funding(name, "USD", 100)) for name in ("x", "y"))
    both = threading.Barrier(2, timeout=10)
    failures: list[StoreError] = []

    def crossed(database: Database, names: set[str], _: set[int]) -> list[Row]:
        backwards = threading.current_thread().name == "b"
        rows: list[Row] = []
        for name in sorted(names, reverse=backwards):
            columns = locked_accounts._COLUMNS  # pyright: ignore[reportPrivateUsage]
            locked = f"SELECT {columns} FROM account WHERE name = ? FOR UPDATE"
            rows += database.execute(locked, (name,)).fetchall()
            if len(rows) == 1:
                both.wait()
        return rows

    def write() -> None:
        name = threading.current_thread().name
        with closing(open_store(postgres_store)) as database:
            worker = calls_in(database).worker
            try:
                write_group(database, worker, [Begin(an_intent(f"{name}.1"), claims)], at_us=1)
            except StoreError as error:
                failures.append(error)

    with closing(open_store(postgres_store)) as database:
        worker = calls_in(database).worker
        write_group(database, worker, [Begin(an_intent("first.1"), claims)], at_us=0)
    monkeypatch.setattr(locked_accounts, "_locked", crossed)
    threads = [threading.Thread(target=write, name=name) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(failure) for failure in failures] == [StoreBusy]


def an_intent(name: str) -> Intent:
    return Intent(id=name, at=NOW, dimensions=Dimensions(), model="m")
