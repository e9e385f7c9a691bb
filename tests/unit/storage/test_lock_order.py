"""The order of locks on PostgreSQL: who waits for one account has none that comes after it."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager

import psycopg
import pytest
from ledger_calls import NOW, calls_in

from tokonomi.calls import Dimensions, Intent
from tokonomi.storage.call_groups import Begin, write_group
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify

FIRST, SECOND = "budget a", "budget b"
STORED = b"INSERT INTO account (id, name, asset) OVERRIDING SYSTEM VALUE VALUES (%s, %s, 'USD')"
MADE = b"INSERT INTO account (name, asset) VALUES (%s, 'USD')"
LOCKED = b"SELECT FROM account WHERE name = %s FOR UPDATE"


def both() -> Begin:
    """A call that claims the second account before the first."""
    claims = tuple(Claim(name, 1, Funding(name, "USD", limit=100)) for name in (SECOND, FIRST))
    return Begin(Intent(id="a.1", at=NOW, dimensions=Dimensions(), model="m"), claims)


@contextmanager
def a_writer(store: str) -> Generator[threading.Thread]:
    """A writer of `both` in a thread, which has begun and is waited for at the end."""

    def write() -> None:
        with closing(open_store(store)) as database:
            write_group(database, calls_in(database).worker, [both()], at_us=1)

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
        with a_writer(postgres_store):
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            until(lambda: watching.execute(waits).fetchall() == [(1,)])
            third.execute("SET lock_timeout = '2s'")
            third.execute(free, (SECOND,))
            third.rollback()
            other.rollback()
    with closing(open_store(postgres_store)) as database:
        assert only_row(database, "SELECT sum(debits_pending), count(*) FROM account") == (2, 2)
        assert verify(database).imbalances == ()
