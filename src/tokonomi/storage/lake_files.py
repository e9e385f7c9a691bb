"""The lake's files and their manifest: how a file becomes durable, and which files count."""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.errors import StoreError
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.lake_rows import LAKE_SCHEMA

ROW_GROUP_ROWS: Final = 131_072
TEMPORARY_SUFFIX: Final = ".temporary"
DATA_FOLDER: Final = "usage"
DAY_US: Final = 86_400_000_000

_EPOCH: Final = date(1970, 1, 1)

OnStep = Callable[[str], None]
"""Told the name of each durable step when it is done; tests stop the process there."""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A line of the manifest.

    Attributes:
        path: relative to the lake's folder.
        day: the UTC day of all its rows, `YYYY-MM-DD`.
        rows: number of rows, at least 1.
        first_seq: smallest `call.seq` in it.
        last_seq: largest `call.seq` in it.
        size: bytes on disk.
    """

    path: str
    day: str
    rows: int
    first_seq: int
    last_seq: int
    size: int


def no_step(_: str) -> None:
    """Nothing: the step is not reported."""


def path_of(day: str, first_seq: int, last_seq: int) -> str:
    """The path of a file in the lake; the same rows always have the same path."""
    return f"{DATA_FOLDER}/day={day}/part-{first_seq:012d}-{last_seq:012d}.parquet"


def day_of(at_us: int) -> str:
    """The UTC day of an instant, `YYYY-MM-DD`."""
    return (_EPOCH + timedelta(days=at_us // DAY_US)).isoformat()


def live_files(
    database: Database, *, since: date | None = None, until: date | None = None
) -> list[LakeFile]:
    """The files that count, of the days from `since` to `until`, both included, in order."""
    rows = database.execute(
        "SELECT path, day, rows, first_seq, last_seq, bytes FROM lake_file "
        "WHERE replaced_us IS NULL AND day >= ? AND day <= ? ORDER BY day, first_seq",
        ((since or date.min).isoformat(), (until or date.max).isoformat()),
    )
    return [LakeFile(*row) for row in rows]


def watermark(database: Database) -> int:
    """The last `call.seq` that the lake holds; 0 when it holds nothing."""
    return int(only_row(database, "SELECT watermark FROM lake")[0])


def write_file(
    root: Path, path: str, tables: Iterable[pa.Table], *, on_step: OnStep = no_step
) -> tuple[int, int]:
    """How many rows and bytes were written to `path`, durably, save for its directories.

    The file appears under its name only when it is whole. Call `sync_folders` afterwards.
    """
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{uuid4().hex}{TEMPORARY_SUFFIX}")
    with _parquet_writer(temporary) as writer:
        rows = _write_grouped(writer, tables)
    on_step(f"{path} is written under a temporary name")
    _sync(temporary)
    size = temporary.stat().st_size
    on_step(f"{path} is on disk under a temporary name")
    temporary.replace(target)
    on_step(f"{path} has its name")
    return rows, size


def sync_folders(root: Path, paths: Sequence[str]) -> None:
    """Nothing: the directory entries of these files are durable afterwards."""
    days = {(root / path).parent for path in paths}
    for folder in (*sorted(days), root / DATA_FOLDER, root):
        _sync(folder)


def add_to_manifest(database: Database, root: Path, files: Sequence[LakeFile]) -> None:
    """Nothing: inside the caller's transaction, the files count from its commit on.

    The presence of each file is checked under the write lock, which is also held by whoever
    removes files: a file that counts is a file that exists.

    Raises:
        StoreError: a file has vanished since it was written.
    """
    for file in files:
        if not (root / file.path).is_file():
            raise StoreError(
                f"the lake's file {file.path} vanished before it was entered",
                remedy="Run the command again: nothing was lost and nothing was entered.",
            )
    database.executemany(
        "INSERT INTO lake_file (path, day, rows, first_seq, last_seq, bytes) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(f.path, f.day, f.rows, f.first_seq, f.last_seq, f.size) for f in files],
    )


@contextmanager
def _parquet_writer(path: Path) -> Generator[pq.ParquetWriter]:
    with pq.ParquetWriter(path, LAKE_SCHEMA, compression="zstd") as writer:
        yield writer


def _write_grouped(writer: pq.ParquetWriter, tables: Iterable[pa.Table]) -> int:
    """The number of rows written, in row groups of useful size whatever the size of the tables."""
    pending: list[pa.Table] = []
    waiting = total = 0
    for table in tables:
        pending.append(table)
        waiting += table.num_rows
        if waiting >= ROW_GROUP_ROWS:
            writer.write_table(pa.concat_tables(pending), row_group_size=ROW_GROUP_ROWS)
            total, waiting, pending = total + waiting, 0, []
    if pending:
        writer.write_table(pa.concat_tables(pending), row_group_size=ROW_GROUP_ROWS)
    return total + waiting


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
