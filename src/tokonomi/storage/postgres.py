"""PostgreSQL as the store: the same schema and the same laws, shared by several hosts."""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, LiteralString, cast

import msgspec
import psycopg
import psycopg.errors
from psycopg.pq import PipelineStatus, TransactionStatus

from tokonomi.errors import StoreError
from tokonomi.storage.database import (
    Cursor,
    Dialect,
    OutcomeUnknown,
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
_LOCK_TIMEOUT_MS: Final = 1_000
"""How long an impatient connection waits in line: a host that froze must not stop all others."""
_SIGN_TIMEOUT_MS: Final = 5_000
"""How long a new connection waits for the signs of life that the lost one may still hold."""

_encode: Final = msgspec.json.Encoder().encode
_REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$
"""
"""What a trigger of our schema calls here."""


class PostgresDatabase:
    """A connection to a PostgreSQL database that holds our schema. A lost one is made anew."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lives: set[int] = set()
        self._impatient = False
        self._in_block = False
        self._connection = self._connect()

    @property
    def dialect(self) -> Dialect:
        """Always `postgresql`."""
        return "postgresql"

    @property
    def is_local(self) -> bool:
        """Always false: its server may be anywhere."""
        return False

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """See `Database.execute`."""
        with self._meant():
            return self._connected().execute(_translated(sql), values)

    def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """See `Database.executemany`."""
        with self._meant(), self._connected().cursor() as cursor:
            cursor.executemany(_translated(sql), rows)
            return cursor.rowcount

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Value]],
        *,
        keep_known: bool = False,
    ) -> int:
        """See `Database.insert`; one statement and one JSON text, however many rows."""
        if not rows:
            return 0
        names = ", ".join(columns)
        conflict = " ON CONFLICT (id) DO NOTHING" if keep_known else ""
        records = [dict(zip(columns, map(_as_json, row), strict=True)) for row in rows]
        return self.execute(
            f"INSERT INTO {table} ({names}) SELECT {names}"  # noqa: S608 - our own names
            f" FROM json_populate_recordset(NULL::{table}, ?){conflict}",
            (_encode(records).decode(),),
        ).rowcount

    def batches(self, sql: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See `Database.batches`; the server keeps the rows that were not asked for yet."""
        with self._meant(), self._connection.cursor(name="tokonomi_batches") as cursor:
            cursor.execute(_translated(sql), values)
            while rows := cursor.fetchmany(size):
                yield rows

    @contextmanager
    def transaction(self, *, power_safe: bool = True, accounts: bool = False) -> Generator[None]:
        """See `Database.transaction`; here accounts are locked one by one."""
        del accounts
        with self._block() as connection:
            if not power_safe:
                connection.execute("SET LOCAL synchronous_commit = off")
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """See `Database.snapshot`."""
        with self._block() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    @contextmanager
    def _block(self) -> Generator[psycopg.Connection[Row]]:
        connection = self._connected()
        self._in_block, committing = True, False
        try:
            with connection.transaction():
                yield connection
                committing = True
        except psycopg.Error as error:
            raise _meaning(error, committing=committing) from error
        finally:
            self._in_block = False

    @contextmanager
    def _meant(self) -> Generator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise _meaning(error) from error

    def serialise(self, subject: Subject) -> None:
        """See `Database.serialise`."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (LOCKS[subject],))

    def impatient(self) -> None:
        """See `Database.impatient`: writers wait in line here, but not for ever."""
        self._impatient = True
        self._connection.execute(_limit("SET lock_timeout = {}", _LOCK_TIMEOUT_MS))

    def live(self, worker_id: int) -> None:
        """See `Database.live`: an advisory lock of this connection, which the server drops."""
        self._lives.add(worker_id)
        self.execute("SELECT pg_advisory_lock(?, ?)", (WORKER_LOCKS, worker_id))

    def is_alive(self, worker_id: int) -> bool:
        """See `Database.is_alive`."""
        row = self.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = ? AND objid = ?"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            (WORKER_LOCKS, worker_id),
        ).fetchone()
        return row is not None and bool(row[0])

    def die(self, worker_id: int) -> None:
        """See `Database.die`."""
        if worker_id in self._lives:
            self._lives.discard(worker_id)
            self.execute("SELECT pg_advisory_unlock(?, ?)", (WORKER_LOCKS, worker_id))

    def logs(self) -> Mapping[int, Path]:
        """See `Database.logs`."""
        return {}

    def define(self, statement: str) -> None:
        """See `Database.define`."""
        self._connection.execute(_REFUSE)
        self._connection.execute(cast("LiteralString", postgres_schema(statement)))

    def schema_version(self) -> int:
        """See `Database.schema_version`.

        It scans the catalogue: a look-up by name may answer from a cache that does not know yet
        what another process made while this one waited for the lock.
        """
        row = self.execute(
            "SELECT obj_description(oid, 'pg_class') FROM pg_class"
            " WHERE relname = 'call' AND relnamespace = current_schema()::regnamespace"
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

    def _connected(self) -> psycopg.Connection[Row]:
        """The connection; a lost one is made anew, but never in the middle of a transaction."""
        if not self._in_block and not _is_usable(self._connection):
            self._connection.close()
            self._connection = self._connect()
        return self._connection

    def _prepare(self, connection: psycopg.Connection[Row]) -> None:
        if self._lives:
            connection.execute(_limit("SET lock_timeout = {}", _SIGN_TIMEOUT_MS))
            for worker_id in self._lives:
                _take_sign(connection, worker_id)
            connection.execute("RESET lock_timeout")
        if self._impatient:
            connection.execute(_limit("SET lock_timeout = {}", _LOCK_TIMEOUT_MS))

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            connection = psycopg.connect(self._dsn, autocommit=True)
        except psycopg.Error as error:
            raise _unreachable(error) from error
        try:
            self._prepare(connection)
        except psycopg.Error as error:
            connection.close()
            raise _unreachable(error) from error
        except StoreError:
            connection.close()
            raise
        return connection


def _is_usable(connection: psycopg.Connection[Row]) -> bool:
    """Whether a connection can take a statement of its own.

    One that was lost while many statements were under way may not know that it is closed, and
    refuses every other one for as long as it lives.
    """
    now = connection.pgconn
    idle = now.transaction_status == TransactionStatus.IDLE
    return idle and now.pipeline_status == PipelineStatus.OFF


def _limit(statement: LiteralString, milliseconds: int) -> LiteralString:
    return cast("LiteralString", statement.format(milliseconds))


def _take_sign(connection: psycopg.Connection[Row], worker_id: int) -> None:
    """Takes a sign of life again; the server may not have noticed yet that its holder is gone."""
    lock = (WORKER_LOCKS, worker_id)
    try:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", lock)
    except psycopg.errors.LockNotAvailable as error:
        row = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = %s AND objid = %s",
            lock,
        ).fetchone()
        holder = "a connection" if row is None else f"the connection of server process {row[0]}"
        raise StoreError(
            f"the database still gives the sign of life of worker {worker_id} to {holder}, which"
            f" this gateway has lost; it waited {_SIGN_TIMEOUT_MS / 1000:g} s",
            remedy="It is tried again. The server gives a lost connection up after its"
            " tcp_keepalives_idle; pg_terminate_backend(PROCESS) ends it at once.",
        ) from error


def _unreachable(error: psycopg.Error) -> StoreError:
    return StoreError(
        f"the database cannot be reached: {_first_line(error)}",
        remedy="Check the DSN in [store] and that the server runs.",
    )


def _as_json(value: Value) -> str | int | None:
    """The value as JSON carries it; the database reads bytes from their hexadecimal digits.

    It takes no text with a NUL. A provider may name a field like that, and its call is to be kept.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _first_line(error: psycopg.Error) -> str:
    """What a person is told: what follows are hints, and statements of ours."""
    return str(error).partition("\n")[0]


def _meaning(error: psycopg.Error, *, committing: bool = False) -> StoreError:
    reason = _first_line(error)
    if isinstance(error, _BUSY):
        return StoreBusy(f"the database is busy: {reason}", remedy="Try again.")
    if isinstance(
        error, (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException)
    ):
        return StoreRefused(
            f"the database refuses a row: {reason}",
            remedy="This is a defect of Tokonomi; please report it with this text.",
        )
    kind = OutcomeUnknown if committing else StoreError
    return kind(
        f"the database cannot be written: {reason}",
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
