"""Compaction: the many small files of a day become one, and no reader notices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.errors import StoreError
from tokonomi.storage.database import Database
from tokonomi.storage.lake_files import (
    LakeFile,
    OnStep,
    add_to_manifest,
    live_files,
    no_step,
    path_of,
    sync_folders,
    write_file,
)
from tokonomi.storage.lake_rows import LAKE_SCHEMA

TARGET_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: how many files became how many, with how many rows."""

    replaced: int
    written: int
    rows: int


def compact(
    database: Database,
    root: Path,
    *,
    now_us: int,
    target_bytes: int = TARGET_BYTES,
    on_step: OnStep = no_step,
) -> Compacted:
    """What was merged: neighbouring files of a day, up to `target_bytes` together, are one file.

    The merged file replaces its sources in one transaction, which fails harmlessly when someone
    else replaced one of them first. The sources stay on disk for readers that already chose them;
    `retention.sweep` removes them after a while.

    Raises:
        StoreError: a file of the lake is missing, or does not hold the rows that its entry says.
    """
    replaced = written = rows = 0
    for _, files in groupby(live_files(database), key=lambda file: file.day):
        for group in _groups(list(files), target_bytes):
            merged = _merge(root, group, on_step)
            if _swap(database, root, group, merged=merged, now_us=now_us, on_step=on_step):
                replaced, written = replaced + len(group), written + 1
                rows += merged.rows
                on_step("the merged file is entered")
    return Compacted(replaced, written, rows)


def _groups(files: Sequence[LakeFile], target_bytes: int) -> Iterator[list[LakeFile]]:
    """Runs of at least two neighbours that fit the target together."""
    group: list[LakeFile] = []
    size = 0
    for file in files:
        if group and size + file.size > target_bytes:
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if len(group) > 1:
        yield group


def _merge(root: Path, group: Sequence[LakeFile], on_step: OnStep) -> LakeFile:
    first, last = group[0], group[-1]
    path = path_of(first.day, first.first_seq, last.last_seq)
    rows, size = write_file(root, path, _tables(root, group), on_step=on_step)
    expected = sum(file.rows for file in group)
    if rows != expected:
        raise StoreError(
            f"the lake's files of {first.day} hold {rows} rows, their entries say {expected}",
            remedy="Restore the lake's folder from a backup; nothing was replaced.",
        )
    sync_folders(root, [path])
    on_step("the folders are on disk")
    return LakeFile(path, first.day, rows, first.first_seq, last.last_seq, size)


def _tables(root: Path, group: Sequence[LakeFile]) -> Iterator[pa.Table]:
    for file in group:
        try:
            with pq.ParquetFile(root / file.path) as source:
                for group_number in range(source.num_row_groups):
                    table = source.read_row_group(group_number)  # pyright: ignore[reportUnknownMemberType] - `columns` has no item type
                    yield _with_every_column(table)
        except FileNotFoundError:
            raise StoreError(
                f"the lake's file {file.path} is missing",
                remedy="Restore the lake's folder from a backup; nothing was replaced.",
            ) from None


def _with_every_column(table: pa.Table) -> pa.Table:
    """The rows with the columns of today; a file of an older version lacks the newer ones."""
    whole = pa.concat_tables([LAKE_SCHEMA.empty_table(), table], promote_options="default")
    return whole.select(LAKE_SCHEMA.names)


def _swap(
    database: Database,
    root: Path,
    group: Sequence[LakeFile],
    *,
    merged: LakeFile,
    now_us: int,
    on_step: OnStep,
) -> bool:
    """Whether the merged file counts in place of its sources."""
    with database.transaction():
        database.serialise("lake")
        live = {file.path for file in live_files(database)}
        if not live.issuperset(file.path for file in group):
            return False
        database.executemany(
            "UPDATE lake_file SET replaced_us = ? WHERE path = ?",
            [(now_us, file.path) for file in group],
        )
        add_to_manifest(database, root, [merged])
        on_step("the swap is in an open transaction")
    return True
