"""Retention: whole days leave the lake, exported rows leave the store, leftovers leave the disk."""

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tokonomi.storage.database import Database, only_row
from tokonomi.storage.lake_files import DATA_FOLDER, watermark

GRACE_US: Final = 3600 * 1_000_000
"""How long a replaced file stays for readers that already chose it: one hour."""

PRUNE_ROWS: Final = 2_000
"""Rows removed from the store in one transaction, so that live calls never wait long."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What left the lake: files and their rows. They leave the disk with the next sweeps."""

    files: int
    rows: int


def id_digest(call_id: str) -> bytes:
    """The 16 bytes under which the id of a removed call is remembered."""
    return blake2b(call_id.encode(), digest_size=16).digest()


def drop_days(database: Database, *, before: date, now_us: int) -> Dropped:
    """What left the lake: the files of all days before `before`. Reports no longer see them."""
    with database.transaction():
        database.serialise("lake")
        files, rows = only_row(
            database,
            "SELECT count(*), coalesce(sum(rows), 0) FROM lake_file "
            "WHERE replaced_us IS NULL AND day < ?",
            (before.isoformat(),),
        )
        database.execute(
            "UPDATE lake_file SET replaced_us = ? WHERE replaced_us IS NULL AND day < ?",
            (now_us, before.isoformat()),
        )
    return Dropped(int(files), int(rows))


def prune(database: Database, *, before_us: int, chunk_rows: int = PRUNE_ROWS) -> int:
    """How many rows left the store: exported calls of instants before `before_us`.

    Rows that are not in the lake yet stay, whatever their age. Each removed call leaves a digest of
    its id, so that a later import of the same file still adds nothing.
    """
    removed = 0
    position = 0
    while True:
        with database.transaction():
            database.serialise("lake")
            old = database.execute(
                "SELECT seq, id FROM call WHERE seq > ? AND seq <= ? AND at_us < ?"
                " ORDER BY seq LIMIT ?",
                (position, watermark(database), before_us, chunk_rows),
            ).fetchall()
            if not old:
                return removed
            database.executemany(
                "INSERT INTO pruned_id VALUES (?) ON CONFLICT DO NOTHING",
                [(id_digest(row[1]),) for row in old],
            )
            database.executemany("DELETE FROM call WHERE seq = ?", [(row[0],) for row in old])
        removed += len(old)
        position = int(old[-1][0])


def sweep(database: Database, root: Path, *, now_us: int, grace_us: int = GRACE_US) -> int:
    """How many files left the disk: replaced ones and leftovers of crashes, older than the grace.

    It holds the store's write lock, as does whoever enters a file, so it never removes a file that
    is about to count.
    """
    with database.transaction():
        database.serialise("lake")
        paths = database.execute(
            "SELECT path FROM lake_file WHERE replaced_us <= ?", (now_us - grace_us,)
        ).fetchall()
        removed = sum(_remove(root / path) for (path,) in paths)
        database.executemany("DELETE FROM lake_file WHERE path = ?", paths)
        listed = {root / path for (path,) in database.execute("SELECT path FROM lake_file")}
        for path in (root / DATA_FOLDER).glob("day=*/*"):
            if path not in listed and path.stat().st_mtime_ns // 1000 <= now_us - grace_us:
                removed += _remove(path)
    return removed


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
