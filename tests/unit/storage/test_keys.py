"""Virtual keys: what is stored of them, and who knows them when."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import KeyRing, create, every_key, revoke

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "tokonomi.db"


@pytest.fixture
def connection(store: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_store(store)) as ready:
        yield ready


def test_a_key_is_stored_as_a_hash_only(connection: sqlite3.Connection, store: Path) -> None:
    text, key = create(connection, "laptop", "research", now=AT)
    assert text.startswith("tk-")
    assert len(text) == 3 + 43
    assert (key.name, key.project, key.hint) == ("laptop", "research", text[-4:])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert text.encode() not in store.read_bytes()
    assert every_key(connection) == [key]


def test_no_two_keys_are_alike(connection: sqlite3.Connection) -> None:
    made = [create(connection, "same name", "p", now=AT) for _ in range(20)]
    assert len({text for text, _ in made}) == len({key.id for _, key in made}) == 20


@pytest.mark.parametrize(
    ("name", "project"), [("", "p"), ("n", ""), ("a\nb", "p"), ("n" * 101, "p")]
)
def test_a_key_without_a_proper_name_is_refused(
    connection: sqlite3.Connection, name: str, project: str
) -> None:
    with pytest.raises(BadInput):
        create(connection, name, project, now=AT)
    assert every_key(connection) == []


def test_a_ring_learns_of_new_and_of_revoked_keys(
    connection: sqlite3.Connection, store: Path
) -> None:
    ring = KeyRing(store)
    text, key = create(connection, "n", "p", now=AT)
    assert ring.find(text.encode()) is None
    assert ring.refresh()
    assert ring.find(text.encode()) == key
    assert not ring.refresh()
    revoke(connection, key.id, now=AT)
    assert ring.refresh()
    assert ring.find(text.encode()) is None
    assert ring.find(b"tk-nobody") is None
    ring.close()


def test_a_key_revoked_twice_keeps_the_first_time(connection: sqlite3.Connection) -> None:
    _, key = create(connection, "n", "p", now=AT)
    later = AT + timedelta(hours=1)
    assert revoke(connection, key.id, now=later).revoked == later
    assert revoke(connection, key.id, now=later + timedelta(hours=1)).revoked == later


def test_an_unknown_key_cannot_be_revoked(connection: sqlite3.Connection) -> None:
    with pytest.raises(NotFound, match="key_nobody"):
        revoke(connection, "key_nobody", now=AT)
