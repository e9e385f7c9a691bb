"""The embedded store: one SQLite file in WAL mode, with versioned migrations."""

import re
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from tokonomi.errors import StoreError

BUSY_TIMEOUT_MS: Final = 10_000
_MIGRATION_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")


def open_store(path: Path) -> sqlite3.Connection:
    """A connection to the store at `path`, created and migrated when needed.

    The connection is in autocommit mode: write inside `transaction`. It belongs to one thread at a
    time. Commits survive a power cut (`synchronous=FULL`) unless a caller lowers that for itself.

    Raises:
        StoreError: the file cannot be opened, is not ours, or was made by a newer Tokonomi.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        _migrate(connection, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the store {path} cannot be opened: {error}",
            remedy="Check the path, its permissions and the free space of its disk.",
        ) from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """A write transaction: it takes the write lock at once, and an error leaves nothing behind."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrations() -> list[tuple[int, str]]:
    """The numbered schema steps that ship with the package, in order."""
    return sorted(
        (int(match[1]), entry.read_text(encoding="utf-8"))
        for entry in resources.files("tokonomi.storage").joinpath("schema").iterdir()
        if (match := _MIGRATION_NAME.fullmatch(entry.name))
    )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    steps = migrations()
    newest = steps[-1][0]
    if _version(connection) == newest:
        return
    with transaction(connection):
        # Read again under the write lock: another process may have migrated meanwhile.
        current = _version(connection)
        if current > newest:
            raise StoreError(
                f"the store {path} has schema {current}, this Tokonomi knows {newest}",
                remedy="Upgrade Tokonomi, or open the store with the version that made it.",
            )
        for number, script in steps:
            if number > current:
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={number}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would commit the transaction around them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
