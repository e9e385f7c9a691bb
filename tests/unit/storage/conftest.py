"""An empty store on each database, and calls in it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from ledger_calls import Calls, calls_in
from recorded_calls import SLOW_FLUSH_SECONDS

from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store


@pytest.fixture
def store(new_store: Callable[[], Path | str]) -> Path | str:
    return new_store()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store in a file, for what only SQLite does."""
    return tmp_path / "tokonomi.db"


@pytest.fixture
def patience_with_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that is slow because others use the machine does not end being alone."""
    monkeypatch.setattr("tokonomi.storage.recorder._SLOW_FLUSH_SECONDS", SLOW_FLUSH_SECONDS)


@pytest.fixture
def database(store: Path | str) -> Iterator[Database]:
    with contextlib.closing(open_store(store)) as opened:
        yield opened


@pytest.fixture
def calls(database: Database) -> Calls:
    return calls_in(database)


@pytest.fixture
def postgres_store(postgres_server: str) -> str:
    """The DSN of a new store, for what only PostgreSQL does."""
    name = f"only_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return postgres_server.replace("/postgres?", f"/{name}?")
