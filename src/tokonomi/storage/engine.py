"""Opening the store, wherever it is, with its schema brought up to date."""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.storage.database import Database, Dialect
from tokonomi.storage.log_recovery import bring_in_log, bring_in_logs
from tokonomi.storage.sqlite import SqliteDatabase

_MIGRATION_NAME: Final = re.compile(r"(\d{4})_\w+?(?:\.(sqlite|postgresql))?\.sql")


def open_store(location: Path | str) -> Database:
    """A connection to the store, created and migrated when needed, with every call so far in it.

    `location` is the path of a SQLite file, or a PostgreSQL DSN (`postgresql://...`), for which the
    extra `postgres` is installed.

    Raises:
        StoreError: the store cannot be opened, or was made by a newer Tokonomi.
    """
    database = _connect(location)
    try:
        _migrate(database, str(location) if database.dialect == "sqlite" else "in PostgreSQL")
        bring_in_logs(database)
    except BaseException:
        database.close()
        raise
    return database


def _connect(location: Path | str) -> Database:
    if isinstance(location, Path) or "://" not in location:
        return SqliteDatabase(Path(location), bring_in_log)
    try:
        from tokonomi.storage.postgres import PostgresDatabase  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL as the store needs the extra `postgres`",
            remedy="Install it: pip install 'tokonomi[postgres]'.",
        ) from error
    return PostgresDatabase(location)


def migrations(dialect: Dialect = "sqlite") -> list[tuple[int, str]]:
    """The numbered schema steps that ship with the package, in order, for one database.

    What only one of them needs stands in a file of the same number that names it.
    """
    steps: dict[int, str] = {}
    files = resources.files("tokonomi.storage").joinpath("schema").iterdir()
    for entry in sorted(files, key=lambda entry: len(entry.name)):
        match = _MIGRATION_NAME.fullmatch(entry.name)
        if match and match[2] in (None, dialect):
            steps[int(match[1])] = steps.get(int(match[1]), "") + entry.read_text(encoding="utf-8")
    return sorted(steps.items())


def _migrate(database: Database, location: str) -> None:
    steps = migrations(database.dialect)
    newest = steps[-1][0]
    if database.schema_version() == newest:
        return
    with database.transaction():
        database.serialise("schema")
        # Read again under the lock: another process may have migrated meanwhile.
        current = database.schema_version()
        if current > newest:
            raise StoreError(
                f"the store {location} has schema {current}, this Tokonomi knows {newest}",
                remedy="Upgrade Tokonomi, or open the store with the version that made it.",
            )
        for number, script in steps:
            if number > current:
                for statement in _statements(script):
                    database.define(statement)
        database.set_schema_version(newest)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; running it whole would commit the transaction around it."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
