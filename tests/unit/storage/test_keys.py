"""Virtual keys: what is stored of them, and who knows them when."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import KeyRing, create, every_key, hash_of, revoke

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)


def test_a_key_is_stored_as_a_hash_only(database: Database) -> None:
    text, key = create(database, "laptop", "research", now=AT)
    assert text.startswith("tk-")
    assert len(text) == 3 + 43
    assert (key.name, key.project, key.hint) == ("laptop", "research", text[-4:])
    [row] = database.execute("SELECT * FROM api_key").fetchall()
    assert not any(text in str(value) for value in row)
    assert bytes(row[3]) == hash_of(text.encode())
    assert every_key(database) == [key]


def test_no_two_keys_are_alike(database: Database) -> None:
    made = [create(database, "same name", "p", now=AT) for _ in range(20)]
    assert len({text for text, _ in made}) == len({key.id for _, key in made}) == 20


def test_the_text_of_a_key_is_nowhere_in_the_file_of_sqlite(tmp_path: Path) -> None:
    store = tmp_path / "tokonomi.db"
    with closing(open_store(store)) as database:
        text, _ = create(database, "laptop", "research", now=AT)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert text.encode() not in store.read_bytes()


@pytest.mark.parametrize(
    ("name", "project"), [("", "p"), ("n", ""), ("a\nb", "p"), ("n" * 101, "p")]
)
def test_a_key_without_a_proper_name_is_refused(
    database: Database, name: str, project: str
) -> None:
    with pytest.raises(BadInput):
        create(database, name, project, now=AT)
    assert every_key(database) == []


def test_a_ring_learns_of_new_and_of_revoked_keys(database: Database, store: Path | str) -> None:
    with closing(open_store(store)) as other:
        ring = KeyRing(other)
        text, key = create(database, "n", "p", now=AT)
        assert ring.find(text.encode()) is None
        assert ring.refresh()
        assert ring.find(text.encode()) == key
        assert not ring.refresh()
        revoke(database, key.id, now=AT)
        assert ring.refresh()
        assert ring.find(text.encode()) is None
        assert ring.find(b"tk-nobody") is None


def test_a_key_revoked_twice_keeps_the_first_time(database: Database) -> None:
    _, key = create(database, "n", "p", now=AT)
    later = AT + timedelta(hours=1)
    assert revoke(database, key.id, now=later).revoked == later
    assert revoke(database, key.id, now=later + timedelta(hours=1)).revoked == later


def test_an_unknown_key_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound, match="key_nobody"):
        revoke(database, "key_nobody", now=AT)
