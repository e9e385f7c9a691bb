"""Stores: made, migrated and shared."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tokonomi.errors import StoreError
from tokonomi.storage.database import Database, StoreRefused, only_row
from tokonomi.storage.engine import migrations, open_store


def version(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_a_new_file_of_sqlite_has_the_newest_schema_and_survives_power_cuts(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "new" / "tokonomi.db")) as database:
        pragmas = [
            only_row(database, f"PRAGMA {name}")[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "user_version")
        ]
    assert pragmas == ["wal", 2, 1, migrations()[-1][0]]


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_file_of_any_earlier_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    newest = migrations()[-1][0]
    for number, _ in migrations():
        store = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(store)) as connection:
            for step, script in migrations():
                if step <= number:
                    connection.executescript(script)
            connection.execute(f"PRAGMA user_version={number}")
            connection.commit()
        open_store(store).close()
        assert version(store) == newest


def test_a_file_of_a_newer_tokonomi_is_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "tokonomi.db"
    open_store(store).close()
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="schema 99"):
        open_store(store)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes " * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(file)


def test_a_store_of_a_newer_tokonomi_is_left_alone_on_both_databases(store: Path | str) -> None:
    with closing(open_store(store)) as database:
        database.set_schema_version(99)
    with pytest.raises(StoreError, match="schema 99"):
        open_store(store)


def test_many_may_open_a_new_store_at_once(new_bare_store: Callable[[], Path | str]) -> None:
    store = new_bare_store()
    newest = migrations()[-1][0]
    with ThreadPoolExecutor(8) as pool:
        for database in pool.map(open_store, [store] * 24):
            assert database.schema_version() == newest
            database.close()


def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    insert = "INSERT INTO worker VALUES (1, 'h', 1, 's', 1, NULL, 0)"
    with pytest.raises(StoreRefused), database.transaction():
        database.executemany(insert, [(), ()])
    assert only_row(database, "SELECT count(*) FROM worker") == (0,)
    with database.transaction():
        database.execute(insert)
    assert only_row(database, "SELECT count(*) FROM worker") == (1,)
