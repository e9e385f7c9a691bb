"""PostgreSQL as the store: the same schema and the same laws, shared by several hosts."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final, LiteralString, cast

import psycopg
import psycopg.errors

from tokonomi.errors import StoreError
from tokonomi.storage.database import (
    Cursor,
    Dialect,
    Row,
    StoreBusy,
    StoreRefused,
    Subject,
    Value,
)

LOCKS: Final[dict[Subject, int]] = {
    "schema": 0x746F6B00,
    "workers": 0x746F6B01,
    "lake": 0x746F6B02,
    "calls": 0x746F6B03,
}
"""Keys of the advisory locks, one a subject."""
WORKER_LOCKS: Final = 0x746F6B
"""The class of the locks that living workers hold, one a worker id."""
_BUSY: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
)
_VERSION: Final = "tokonomi schema "

_REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$
"""
"""What a trigger of our schema calls here."""


class PostgresDatabase:
    """A connection to a PostgreSQL database that holds our schema. A lost one is made anew."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection = self._connect()

    @property
    def dialect(self) -> Dialect:
        """Always `postgresql`."""
        return "postgresql"

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """See `Database.execute`."""
        return self._connection.execute(_translated(sql), values)

    def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """See `Database.executemany`."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(sql), rows)
            return cursor.rowcount

    def batches(self, sql: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See `Database.batches`; the server keeps the rows that were not asked for yet."""
        with self._connection.cursor(name="tokonomi_batches") as cursor:
            cursor.execute(_translated(sql), values)
            while rows := cursor.fetchmany(size):
                yield rows

    @contextmanager
    def transaction(self, *, power_safe: bool = True) -> Generator[None]:
        """See `Database.transaction`."""
        if self._connection.closed:
            self._connection = self._connect()
        try:
            with self._connection.transaction():
                if not power_safe:
                    self._connection.execute("SET LOCAL synchronous_commit = off")
                yield
        except psycopg.Error as error:
            raise _meaning(error) from error

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """See `Database.snapshot`."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def serialise(self, subject: Subject) -> None:
        """See `Database.serialise`."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCKS[subject],))

    def impatient(self) -> None:
        """Nothing to do: writers wait in line here, and the server tells deadlocks at once."""

    def live(self, worker_id: int) -> None:
        """See `Database.live`: an advisory lock of this connection, which the server drops."""
        self._connection.execute("SELECT pg_advisory_lock(%s, %s)", (WORKER_LOCKS, worker_id))

    def is_alive(self, worker_id: int) -> bool:
        """See `Database.is_alive`."""
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = %s AND objid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            (WORKER_LOCKS, worker_id),
        ).fetchone()
        return row is not None and bool(row[0])

    def die(self, worker_id: int) -> None:
        """See `Database.die`."""
        if self.is_alive(worker_id):
            self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (WORKER_LOCKS, worker_id))

    def define(self, statement: str) -> None:
        """See `Database.define`."""
        self._connection.execute(_REFUSE)
        self._connection.execute(cast("LiteralString", postgres_schema(statement)))

    def schema_version(self) -> int:
        """See `Database.schema_version`."""
        row = self._connection.execute(
            "SELECT obj_description(to_regclass('call'), 'pg_class')"
        ).fetchone()
        return int(row[0].removeprefix(_VERSION)) if row is not None and row[0] else 0

    def set_schema_version(self, version: int) -> None:
        """See `Database.set_schema_version`; it is the comment of the table `call`."""
        self._connection.execute(
            cast("LiteralString", f"COMMENT ON TABLE call IS '{_VERSION}{int(version)}'")
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            return psycopg.connect(self._dsn, autocommit=True)
        except psycopg.Error as error:
            raise StoreError(
                f"the database cannot be reached: {error}",
                remedy="Check the DSN in [store] and that the server runs.",
            ) from error


def _meaning(error: psycopg.Error) -> StoreError:
    if isinstance(error, _BUSY):
        return StoreBusy(f"the database is busy: {error}", remedy="Try again.")
    if isinstance(
        error, (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException)
    ):
        return StoreRefused(
            f"the database refuses a row: {error}",
            remedy="This is a defect of Tokonomi; please report it with this text.",
        )
    return StoreError(
        f"the database cannot be written: {error}",
        remedy="Check that the server runs, its disk and its log.",
    )


@cache
def _translated(sql: str) -> LiteralString:
    """The statement with psycopg's placeholders; all our SQL is written in this package."""
    return cast("LiteralString", sql.replace("%", "%%").replace("?", "%s"))


_REWRITES: Final = (
    (re.compile(r"INTEGER PRIMARY KEY AUTOINCREMENT"), "BIGSERIAL PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\)\s*STRICT(,\s*WITHOUT ROWID)?\s*;"), ");"),
)
_TRIGGER: Final = re.compile(
    r"CREATE TRIGGER (\w+) BEFORE (UPDATE|DELETE) ON (\w+)\s+"
    r"BEGIN\s+SELECT RAISE\(ABORT, '([^']+)'\);\s+END;"
)


def postgres_schema(statement: str) -> str:
    """A statement of our schema, which is written for SQLite, in PostgreSQL's words.

    >>> postgres_schema("CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b BLOB) STRICT;")
    'CREATE TABLE a (id BIGSERIAL PRIMARY KEY, b BYTEA);'
    """
    if trigger := _TRIGGER.search(statement):
        name, event, table, message = trigger.groups()
        return (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse('{message}');"
        )
    for pattern, replacement in _REWRITES:
        statement = pattern.sub(replacement, statement)
    return statement
