"""The order of locks on PostgreSQL: who waits for one account has none that comes after it."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager

import psycopg
import pytest
from ledger_calls import NOW, calls_in

from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.calls import Dimensions, Intent
from tokonomi.storage import keys
from tokonomi.storage.call_groups import Begin, write_group
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify

FIRST, SECOND = "budget a", "budget b"
STORED = b"INSERT INTO account (id, name, asset) OVERRIDING SYSTEM VALUE VALUES (%s, %s, 'USD')"
MADE = b"INSERT INTO account (name, asset) VALUES (%s, 'USD')"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
OF_A_KEY = b"SELECT FROM rate_limit WHERE key_id = %s FOR UPDATE"
LOCKED = b"SELECT FROM account WHERE name = %s FOR UPDATE"


def call(name: str, *accounts: str, key: str | None = None) -> Begin:
    """A call that claims accounts in this order, by a key with limits."""
    claims = tuple(Claim(each, 1, Funding(each, "USD", limit=100)) for each in accounts)
    rate = None if key is None else RateClaim(key, tokens=1)
    intent = Intent(id=name, at=NOW, dimensions=Dimensions(), model="m")
    return Begin(intent, claims, rate=rate)


@contextmanager
def a_writer(store: str, *group: Begin) -> Generator[threading.Thread]:
    """A writer of a group in a thread, which has begun and is waited for at the end."""

    def write() -> None:
        with closing(open_store(store)) as database:
            write_group(database, calls_in(database).worker, group, at_us=1)

    writer = threading.Thread(target=write)
    writer.start()
    yield writer
    writer.join(15)


def until(holds: Callable[[], bool]) -> None:
    end, turn = time.monotonic() + 15, threading.Event()
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        turn.wait(0.01)


@pytest.mark.parametrize(
    ("stored", "taken", "free"),
    [
        # On the disk the second account lies before the first, where a scan would find it first.
        (((102, SECOND), (101, FIRST)), LOCKED, LOCKED),
        (((101, FIRST),), LOCKED, MADE),
        ((), MADE, MADE),
    ],
    ids=["both are there", "the second is to be made", "both are to be made"],
)
def test_a_writer_that_waits_for_an_account_has_taken_none_behind_it(
    postgres_store: str, stored: tuple[tuple[int, str], ...], taken: bytes, free: bytes
) -> None:
    with closing(open_store(postgres_store)), psycopg.connect(postgres_store) as setting_up:
        for account in stored:
            setting_up.execute(STORED, account)
    with (
        psycopg.connect(postgres_store) as other,
        psycopg.connect(postgres_store) as third,
        psycopg.connect(postgres_store, autocommit=True) as watching,
    ):
        other.execute(taken, (FIRST,))
        with a_writer(postgres_store, call("a.1", SECOND, FIRST)):
            until(lambda: watching.execute(WAITING).fetchall() == [(1,)])
            third.execute("SET lock_timeout = '2s'")
            third.execute(free, (SECOND,))
            third.rollback()
            other.rollback()
    with closing(open_store(postgres_store)) as database:
        assert only_row(database, "SELECT sum(debits_pending), count(*) FROM account") == (2, 2)
        assert verify(database).imbalances == ()


def test_a_writer_that_waits_for_a_key_has_taken_no_later_key_and_no_account(
    postgres_store: str,
) -> None:
    with closing(open_store(postgres_store)) as database:
        made = (keys.create(database, name, "tests", now=NOW)[1].id for name in "ab")
        first, second = sorted(made)
        for key in (second, first):
            limited = "INSERT INTO rate_limit (key_id, kind, most) VALUES (?, 'tokens', 100)"
            database.execute(limited, (key,))
        database.execute("INSERT INTO account (name, asset) VALUES (?, 'USD')", (FIRST,))
    group = (call("a.1", FIRST, key=second), call("b.1", FIRST, key=first))
    with (
        psycopg.connect(postgres_store) as other,
        psycopg.connect(postgres_store) as third,
        psycopg.connect(postgres_store, autocommit=True) as watching,
    ):
        other.execute(OF_A_KEY, (first,))
        with a_writer(postgres_store, *group):
            until(lambda: watching.execute(WAITING).fetchall() == [(1,)])
            third.execute("SET lock_timeout = '2s'")
            third.execute(OF_A_KEY, (second,))
            third.execute(LOCKED, (FIRST,))
            third.rollback()
            other.rollback()
    with closing(open_store(postgres_store)) as database:
        assert only_row(database, "SELECT sum(debits_pending) FROM account") == (2,)
