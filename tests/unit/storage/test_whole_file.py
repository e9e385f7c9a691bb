"""What a result is written to: a file whole or not at all, and never in the place of else."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tokonomi.cli.printing import Listing, print_table
from tokonomi.cli.report import write_bytes
from tokonomi.errors import BadInput
from tokonomi.ingest.draft import Rejected
from tokonomi.ingest.quarantine import QuarantineFile
from tokonomi.reports.tables import Heading, Table
from tokonomi.storage.whole_file import whole_file, write_file

Write = Callable[[Path], None]


def _as_report(path: Path) -> None:
    write_bytes(b"a report", path)


def _as_list(path: Path) -> None:
    print_table(Table("names", (Heading("name"),), (("ani",),)), Listing(format="csv", output=path))


def _as_bad_rows(path: Path) -> None:
    with QuarantineFile(path) as bad:
        bad.add(Rejected(1, "no model", "{}"))


WAYS = pytest.mark.parametrize(
    ("write", "content"),
    [
        (_as_report, b"a report"),
        (_as_list, b"name\nani\n"),
        (_as_bad_rows, b'{"line":1,"reason":"no model","raw":"{}"}\n'),
    ],
    ids=["report", "list", "bad rows"],
)


@WAYS
def test_a_pipe_is_written_into_and_stays_a_pipe(
    write: Write, content: bytes, tmp_path: Path
) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(pipe)
    reader.join(timeout=5)
    assert read == [content]
    assert pipe.is_fifo()
    assert [*tmp_path.iterdir()] == [pipe]


@WAYS
@pytest.mark.parametrize("before", [None, b"old"], ids=["dangling", "standing"])
def test_a_link_is_followed_and_stays_a_link(
    write: Write, content: bytes, before: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "result", tmp_path / "link"
    if before is not None:
        target.write_bytes(before)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == content
    assert [*target.parent.iterdir()] == [target]


def test_an_open_pipe_without_a_name_is_written_into() -> None:
    reading, writing = os.pipe()
    named = Path(f"/dev/fd/{writing}")
    if not named.exists():
        pytest.skip("this system does not name open files")
    write_file(named, b"a report")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"a report"


def test_a_file_keeps_what_it_had_when_writing_fails(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(b"old")

    def fail() -> None:
        with whole_file(kept) as target:
            target.write_bytes(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert kept.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [kept]


@pytest.mark.parametrize("kind", ["folder", "loop", "nowhere"])
def test_what_cannot_be_written_is_one_error_and_stays(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    if kind == "loop":
        path.symlink_to(path)
    if kind == "nowhere":
        path = path / "file"
    with pytest.raises(BadInput, match="cannot be written"):
        write_file(path, b"a report")
    assert path.is_dir() is (kind == "folder")
    assert path.is_symlink() is (kind == "loop")
