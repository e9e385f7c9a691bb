"""SQLite as the store: one file in WAL mode, for the processes of one host."""

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.storage.database import Cursor, Dialect, Value

BUSY_TIMEOUT_MS: Final = 10_000


class SqliteDatabase:
    """A connection to the store's file."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
            )
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA foreign_keys=ON")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the store {path} cannot be opened: {error}",
                remedy="Check the path, its permissions and the free space of its disk.",
            ) from error
        self._power_safe = True
        self.connection.execute("PRAGMA synchronous=FULL")

    @property
    def dialect(self) -> Dialect:
        """Always `sqlite`."""
        return "sqlite"

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """See `Database.execute`."""
        return self.connection.execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """See `Database.executemany`."""
        self.connection.executemany(sql, rows)

    @contextmanager
    def transaction(self, *, power_safe: bool = True) -> Generator[None]:
        """See `Database.transaction`; the write lock is taken at once."""
        if power_safe is not self._power_safe:
            self.connection.execute(f"PRAGMA synchronous={'FULL' if power_safe else 'NORMAL'}")
            self._power_safe = power_safe
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def write_in_order_of_commits(self) -> None:
        """Nothing to do: there is one writer at a time."""

    def define(self, statement: str) -> None:
        """See `Database.define`."""
        self.connection.execute(statement)

    def schema_version(self) -> int:
        """See `Database.schema_version`."""
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def set_schema_version(self, version: int) -> None:
        """See `Database.set_schema_version`."""
        self.connection.execute(f"PRAGMA user_version={version}")

    def lock_schema(self) -> None:
        """Nothing to do: every write transaction holds the only write lock."""

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
