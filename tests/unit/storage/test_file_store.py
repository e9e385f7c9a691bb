"""Files of clients in the store: in parts, sealed, seen by their project, gone in time."""

import base64
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tokonomi.errors import BadConfig
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.file_store import (
    Page,
    Part,
    StoredFile,
    add_part,
    begin_file,
    delete_expired,
    delete_file,
    find_file,
    finish_file,
    list_files,
    part_of_line,
    read_part,
    stored_bytes,
)
from tokonomi.storage.master_keys import MasterKey, MasterKeys

NewStore = Callable[[], Path | str]
KEYS = MasterKeys((MasterKey(b"k" * 32),))
SECRET = b"a prompt that nobody should read\n"


@pytest.fixture
def database(new_store: NewStore) -> Iterator[Database]:
    with closing(open_store(new_store())) as opened:
        yield opened


def stored(database: Database, name: str, *, at: int = 1, project: str = "p") -> StoredFile:
    """A finished file of two parts."""
    file = StoredFile(
        id=name, project=project, purpose="batch", name=name, created_us=at, expires_us=at + 10
    )
    begin_file(database, file)
    add_part(database, name, Part(1, 1, SECRET), KEYS)
    add_part(database, name, Part(2, 2, b"two\nthree\n"), KEYS)
    finish_file(database, replace(file, size=43, lines=3, models=("m",)))
    return file


def test_a_file_is_read_back_part_by_part_and_by_its_lines(database: Database) -> None:
    stored(database, "file-1")
    assert read_part(database, "file-1", 1, KEYS) == Part(1, 1, SECRET)
    assert read_part(database, "file-1", 3, KEYS) is None
    for line, part in ((1, 1), (2, 2), (3, 2)):
        found = part_of_line(database, "file-1", line, KEYS)
        assert found is not None
        assert found.number == part
    assert stored_bytes(database, "p") == len(SECRET) + 10


def test_a_sealed_file_is_not_in_the_store_in_clear_and_not_another_part(
    database: Database,
) -> None:
    stored(database, "file-1")
    kept = only_row(database, "SELECT content FROM stored_file_part WHERE number = 1")[0]
    assert b"prompt" not in bytes(kept)
    with pytest.raises(BadConfig, match="none is known here"):
        read_part(database, "file-1", 1, None)
    with pytest.raises(BadConfig, match="master key"):
        read_part(database, "file-1", 1, MasterKeys((MasterKey(b"x" * 32),)))
    database.execute("UPDATE stored_file_part SET number = 3 WHERE number = 1")
    with pytest.raises(BadConfig, match="was changed"):
        read_part(database, "file-1", 3, KEYS)
    assert base64.b64encode(KEYS.current.secret) not in repr(KEYS).encode()


def test_only_its_project_sees_a_file_and_only_when_it_is_whole(database: Database) -> None:
    stored(database, "file-1")
    arriving = StoredFile(
        id="file-2", project="p", purpose="batch", name="", created_us=1, expires_us=2
    )
    begin_file(database, arriving)
    assert find_file(database, "p", "file-1") is not None
    assert find_file(database, "q", "file-1") is None
    assert find_file(database, "p", "file-2") is None
    assert list_files(database, "q", Page()) == []
    assert delete_file(database, "q", "file-1") is None
    assert find_file(database, "p", "file-1") is not None


def test_a_list_is_read_page_by_page_in_either_order(database: Database) -> None:
    for number in range(1, 6):
        stored(database, f"file-{number}", at=number // 2)
    for descending in (True, False):
        names: list[str] = []
        page = Page(limit=2, descending=descending)
        while found := list_files(database, "p", page, "batch"):
            names += [each.id for each in found]
            page = page._replace(after=names[-1])
        expected = [f"file-{number}" for number in range(1, 6)]
        assert names == (expected[::-1] if descending else expected)
    assert list_files(database, "p", Page(after="file-9")) is None


def test_a_file_is_deleted_when_its_time_is_over(database: Database) -> None:
    stored(database, "file-1", at=1)
    stored(database, "file-2", at=100)
    assert delete_expired(database, now_us=50) == 1
    assert find_file(database, "p", "file-1") is None
    assert only_row(database, "SELECT count(*) FROM stored_file_part") == (2,)
    assert delete_file(database, "p", "file-2") is None
    assert stored_bytes(database, "p") == 0
