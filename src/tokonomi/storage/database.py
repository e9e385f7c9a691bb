"""One port to two databases: SQLite in a file, PostgreSQL shared by several hosts.

The SQL in this room is the common subset of both, with `?` for values. What differs stands here:
how a transaction begins, how durable its commit is, and how rows are locked.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

Value = str | int | bytes | None
Row = tuple[Any, ...]
Dialect = Literal["sqlite", "postgresql"]


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

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """The cursor of one statement; outside a `transaction` it commits by itself."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run one statement for many rows of values."""
        ...

    def transaction(self, *, power_safe: bool = True) -> AbstractContextManager[None]:
        """A write transaction; an error inside leaves nothing behind.

        With `power_safe` its commit survives a power cut, else only the death of processes; the
        next power-safe commit makes every earlier one power-safe too.
        """
        ...

    def write_in_order_of_commits(self) -> None:
        """Make writers of calls commit one after the other, so that `call.seq` rises with them.

        The lake's watermark relies on it: no row may appear below a number that was read.
        """
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

    def lock_schema(self) -> None:
        """Keep other processes from migrating until this transaction ends."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
