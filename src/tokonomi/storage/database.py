"""One port to two databases: SQLite in a file, PostgreSQL shared by several hosts.

The SQL in this room is the common subset of both, with `?` for values. What differs stands here:
how a transaction begins, how durable its commit is, and how rows are locked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from tokonomi.errors import StoreError

Value = str | int | bytes | None
Row = tuple[Any, ...]
Dialect = Literal["sqlite", "postgresql"]
Subject = Literal["schema", "calls", "lake", "workers"]
_HIGHEST: Final = "\U0010ffff"


class StoreBusy(StoreError):
    """Another writer was in the way; the same transaction may succeed when tried again."""


class OutcomeUnknown(StoreError):
    """The answer to a commit was lost: what it wrote stands, or does not, and nobody knows."""


class StoreRefused(StoreError):
    """The schema refuses a row; trying again cannot help, and nothing was written."""


class Cursor(Protocol):
    """The rows of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        ...

    def fetchone(self) -> Row | None:
        """The next row, if there is one."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Row]: ...


class Database(Protocol):
    """A connection to the store; it belongs to one thread at a time."""

    @property
    def dialect(self) -> Dialect:
        """Which database it is."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether a transaction waits for nothing but the disk of this host."""
        ...

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """The cursor of one statement; outside a `transaction` it commits by itself.

        Raises:
            StoreError: as `transaction` does.
        """
        ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """How many rows one statement changed, run for each row of values."""
        ...

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Value]],
        *,
        keep_known: bool = False,
    ) -> int:
        """How many rows were added to a table, in one go.

        With `keep_known` a row whose `id` the table already has is left out, instead of an error.
        """
        ...

    def batches(self, sql: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """The rows of a query, at most `size` of them in memory; run it inside `snapshot`."""
        ...

    def transaction(
        self, *, power_safe: bool = True, accounts: bool = False
    ) -> AbstractContextManager[None]:
        """A write transaction; an error inside leaves nothing behind.

        Say `accounts` where it may change accounts: a worker may be deciding about them alone
        (`sole_use`), and has to let go first.

        With `power_safe` its commit survives a power cut, else only the death of processes; the
        next power-safe commit makes every earlier one power-safe too.

        Raises:
            StoreBusy: another writer was in the way.
            StoreRefused: the schema refuses a row.
            OutcomeUnknown: the connection was lost while it was being committed.
            StoreError: the database cannot be written, or its connection is lost.
        """
        ...

    def serialise(self, subject: Subject) -> None:
        """Let one transaction at a time work on a subject, from here to the end of this one.

        Take it before any other lock. `calls` makes `call.seq` rise in the order of commits, which
        the lake's watermark relies on; `lake` guards its files, `workers` who is alive, `schema`
        the migrations.
        """
        ...

    def live(self, worker_id: int) -> None:
        """Hold a sign of life that ends with this process, however it ends, or with `die`."""
        ...

    def is_alive(self, worker_id: int) -> bool:
        """Whether some process holds this worker's sign of life."""
        ...

    def die(self, worker_id: int) -> None:
        """Let go of a worker's sign of life, and remove what a dead one left."""
        ...

    def logs(self) -> Mapping[int, Path]:
        """The logs of workers beside this store (`worker_log`), by worker; none on a server."""
        ...

    def define(self, statement: str) -> None:
        """Run one statement of the schema, which is written in SQLite's words."""
        ...

    def schema_version(self) -> int:
        """The number of the last schema step that was taken, 0 for a new store."""
        ...

    def set_schema_version(self, version: int) -> None:
        """Note the last schema step that was taken."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """A read transaction: all its statements see the store of one instant."""
        ...

    def impatient(self) -> None:
        """From now on a busy database is an error at once: the caller retries faster by itself."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def only_row(database: Database, sql: str, values: Sequence[Value] = ()) -> Row:
    """The row of a query that always has one, such as a count."""
    row = database.execute(sql, values).fetchone()
    assert row is not None, "this query always has a row"
    return row


def begins_with(column: str, text: str) -> tuple[str, tuple[str, str]]:
    """A condition that a column begins with a text, and its values; the column's index answers it.

    For columns that both databases order by their bytes: names of accounts and ids of calls.
    """
    return f"{column} >= ? AND {column} < ?", (text, text + _HIGHEST)
