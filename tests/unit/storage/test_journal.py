"""Journals: what was written is delivered once, whoever dies and whatever is torn."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.errors import StoreError
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import journal as journals
from tokonomi.storage.database import Database
from tokonomi.storage.journal import Journal, absorb
from tokonomi.storage.location import Location, locate
from tokonomi.storage.retention import id_digest
from tokonomi.usage import Source, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


def intent(name: str) -> Intent:
    return Intent(id=f"{name}.1", at=AT, dimensions=Dimensions(user="ani"), model="m")


def call(name: str, note: str = "") -> Call:
    return Call(
        intent=intent(name),
        model_served="m",
        usage=Usage(at=AT, source=Source.ABSENT),
        cost=Unpriced("a call of a test"),
        status=Status.OK,
        note=note,
    )


def stored(database: Database) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in database.execute("SELECT id, status FROM call ORDER BY id")]


def abandoned(folder: Path, *lines: Intent | Call) -> Path:
    """The file of a process that wrote these lines and died: nobody holds its lock."""
    journal = Journal(folder)
    for line in lines:
        journal.left(line) if isinstance(line, Intent) else journal.ended(line)
    [path] = folder.glob("*.calls")
    journal.disown()
    return path


def test_what_ended_is_delivered_once_and_the_file_shrinks(
    database: Database, tmp_path: Path
) -> None:
    journal = Journal(tmp_path)
    journal.left(intent("a"))
    journal.ended(call("a"))
    assert journal.undelivered
    assert journal.deliver(database) == 1
    assert not journal.undelivered
    assert journal.deliver(database) == 0
    [path] = tmp_path.glob("*.calls")
    assert path.read_bytes().count(b"\n") == 1
    journal.close()
    assert [*tmp_path.iterdir()] == []
    assert stored(database) == [("a.1", "ok")]


def test_a_living_process_keeps_its_file_and_a_dead_ones_is_absorbed(
    database: Database, tmp_path: Path
) -> None:
    abandoned(tmp_path, intent("a"), call("a"), intent("b"))
    living = Journal(tmp_path)
    living.ended(call("c"))
    assert absorb(tmp_path, database) == 2
    assert stored(database) == [("a.1", "ok"), ("b.1", "orphaned")]
    assert absorb(tmp_path, database) == 0
    living.deliver(database)
    living.close()
    assert len(stored(database)) == 3


def test_a_torn_last_line_and_one_that_is_no_line_lose_no_other(
    database: Database, tmp_path: Path
) -> None:
    path = abandoned(tmp_path, call("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"no line of ours\n" + whole.splitlines()[1][:40])
    assert absorb(tmp_path, database) == 1
    assert stored(database) == [("a.1", "ok")]


def test_a_file_that_was_delivered_but_not_removed_adds_nothing(
    database: Database, tmp_path: Path
) -> None:
    path = abandoned(tmp_path, call("a"))
    content = path.read_bytes()
    absorb(tmp_path, database)
    path.write_bytes(content)
    absorb(tmp_path, database)
    assert stored(database) == [("a.1", "ok")]


def test_a_call_that_retention_removed_does_not_come_back(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction():
        database.execute("INSERT INTO pruned_id VALUES (?)", (id_digest("a.1"),))
    abandoned(tmp_path, call("a"), call("b"))
    absorb(tmp_path, database)
    assert stored(database) == [("b.1", "ok")]


def test_a_row_that_the_store_refuses_does_not_keep_others_back(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(call("z"), intent=replace(intent("z"), id="z.0"))
    journal = Journal(tmp_path)
    for each in (call("a"), bad, call("b")):
        journal.ended(each)
    journal.deliver(database)
    journal.close()
    refused = [record for record in caplog.records if "refuses the row" in record.getMessage()]
    assert stored(database) == [("a.1", "ok"), ("b.1", "ok")]
    assert len(refused) == 1


def test_a_file_that_never_comes_to_rest_is_written_anew_without_what_was_delivered(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "COMPACTED_BYTES", 4_000)
    journal = Journal(tmp_path)
    journal.left(intent("always"))
    for number in range(40):
        journal.ended(call(f"c{number:02}", "x" * 100))
        journal.deliver(database)
    [path] = tmp_path.glob("*")
    assert path.stat().st_size < 8_000
    journal.ended(call("after"))
    journal.disown()
    assert absorb(tmp_path, database) >= 2
    found = dict(stored(database))
    assert len(found) == 42
    assert (found["always.1"], found["after.1"]) == ("orphaned", "ok")


def test_a_line_that_a_full_disk_cuts_leaves_the_file_readable(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.ended(call("a"))
    real = os.pwrite

    def cut(file: int, data: bytes, at: int) -> int:
        return real(file, data[:30], at)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", cut)
        with pytest.raises(OSError, match="took 30 of"):
            journal.ended(call("b"))
    journal.ended(call("c"))
    assert journal.deliver(database) == 2
    journal.close()
    assert stored(database) == [("a.1", "ok"), ("c.1", "ok")]


def test_a_file_of_a_newer_version_is_left_for_it(database: Database, tmp_path: Path) -> None:
    path = abandoned(tmp_path, call("a"))
    path.write_bytes(path.read_bytes().replace(b'"note"]', b'"note","newer"]'))
    with pytest.raises(StoreError, match="does not know"):
        absorb(tmp_path, database)
    assert path.exists()


def test_a_journal_lies_beside_its_store_and_no_two_stores_share_one(tmp_path: Path) -> None:
    store = Location(tmp_path / "a.db")
    assert store.journal == tmp_path / "a.db.journal"
    one = locate("postgresql://u:secret@h/one", config=tmp_path / "none.toml").journal
    same = locate("postgresql://u:changed@h/one", config=tmp_path / "none.toml").journal
    other = locate("postgresql://u:secret@h/two", config=tmp_path / "none.toml").journal
    assert one == same
    assert one != other
    assert "secret" not in str(one)
