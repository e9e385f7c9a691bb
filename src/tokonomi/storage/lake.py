"""The export of settled calls to the lake, each exactly once.

Calls get their `seq` in the order of commits, so "everything up to the watermark" is a fixed set of
rows. A chunk behind the watermark is written to files whose names are made from its rows; then one
transaction enters the files in the manifest and moves the watermark from the value that the chunk
began at. Readers follow the manifest only. Whatever stops the process, and whoever else exports at
the same time, a row counts either in the store's tail or in one file, never in both or neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa

from tokonomi.storage.database import Database
from tokonomi.storage.lake_files import (
    DAY_US,
    LakeFile,
    OnStep,
    add_to_manifest,
    day_of,
    no_step,
    path_of,
    sync_folders,
    watermark,
    write_file,
)
from tokonomi.storage.lake_rows import LAKE_SCHEMA, STORED_NAME, Row, lake_batch

CHUNK_ROWS: Final = 50_000

_NAMES: Final = tuple(LAKE_SCHEMA.names)
_SEQ: Final = _NAMES.index("seq")
_AT: Final = _NAMES.index("at")
_SELECT: Final = (
    f"SELECT {', '.join(STORED_NAME[name] for name in _NAMES)} FROM call "  # noqa: S608 - our own names
    "WHERE seq > ? ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: rows and files that were added to the lake."""

    rows: int
    files: int


def export(
    database: Database,
    root: Path,
    *,
    chunk_rows: int = CHUNK_ROWS,
    on_step: OnStep = no_step,
) -> Exported:
    """What was added: all calls that were settled when the last chunk was read are in the lake.

    `chunk_rows` bounds the memory. Several exporters may run; each chunk is entered by one of them.

    Raises:
        StoreError: a written file vanished before it was entered; nothing of its chunk counts.
    """
    rows = files = 0
    while True:
        start = watermark(database)
        chunk: list[Row] = database.execute(_SELECT, (start, chunk_rows)).fetchall()
        if not chunk:
            return Exported(rows, files)
        on_step("a chunk is read")
        written = _write(root, chunk, on_step)
        end = _integer(chunk[-1][_SEQ])
        if _enter(database, root, written, moves=(start, end), on_step=on_step):
            rows, files = rows + len(chunk), files + len(written)
            on_step("the chunk is entered")


def _write(root: Path, chunk: Sequence[Row], on_step: OnStep) -> list[LakeFile]:
    """One file for each day of the chunk, on disk, not yet counting."""
    by_day = groupby(sorted(chunk, key=_day), key=_day)
    files = [_write_day(root, list(rows), on_step) for _, rows in by_day]
    sync_folders(root, [file.path for file in files])
    on_step("the folders are on disk")
    return files


def _write_day(root: Path, rows: Sequence[Row], on_step: OnStep) -> LakeFile:
    day = day_of(_integer(rows[0][_AT]))
    first, last = _integer(rows[0][_SEQ]), _integer(rows[-1][_SEQ])
    path = path_of(day, first, last)
    table = pa.Table.from_batches([lake_batch(rows, _NAMES)])
    count, size = write_file(root, path, [table], on_step=on_step)
    return LakeFile(path, day, count, first, last, size)


def _enter(
    database: Database,
    root: Path,
    files: Sequence[LakeFile],
    *,
    moves: tuple[int, int],
    on_step: OnStep,
) -> bool:
    """Whether the files count now; not when another exporter moved the watermark first."""
    start, end = moves
    with database.transaction():
        database.serialise("lake")
        moved = database.execute(
            "UPDATE lake SET watermark = ? WHERE one = 1 AND watermark = ?", (end, start)
        )
        if moved.rowcount != 1:
            return False
        add_to_manifest(database, root, files)
        on_step("the chunk is in an open transaction")
    return True


def _day(row: Row) -> int:
    return _integer(row[_AT]) // DAY_US


def _integer(value: object) -> int:
    assert isinstance(value, int), "the store declares this column as an integer"
    return value
