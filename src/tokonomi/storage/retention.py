"""Retention: whole days leave the lake, exported rows leave the store, leftovers leave the disk."""

import sqlite3
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tokonomi.storage.engine import transaction
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


def drop_days(connection: sqlite3.Connection, *, before: date, now_us: int) -> Dropped:
    """What left the lake: the files of all days before `before`. Reports no longer see them."""
    with transaction(connection):
        files, rows = connection.execute(
            "SELECT count(*), coalesce(sum(rows), 0) FROM lake_file "
            "WHERE replaced_us IS NULL AND day < ?",
            (before.isoformat(),),
        ).fetchone()
        connection.execute(
            "UPDATE lake_file SET replaced_us = ? WHERE replaced_us IS NULL AND day < ?",
            (now_us, before.isoformat()),
        )
    return Dropped(files, rows)


def prune(connection: sqlite3.Connection, *, before_us: int, chunk_rows: int = PRUNE_ROWS) -> int:
    """How many rows left the store: exported calls of instants before `before_us`.

    Rows that are not in the lake yet stay, whatever their age. Each removed call leaves a digest of
    its id, so that a later import of the same file still adds nothing.
    """
    connection.create_function("id_digest", 1, id_digest, deterministic=True)
    removed = 0
    position = 0
    while True:
        with transaction(connection):
            found = connection.execute(
                "SELECT max(seq) FROM (SELECT seq FROM call WHERE seq > ? AND seq <= ? "
                "AND at_us < ? ORDER BY seq LIMIT ?)",
                (position, watermark(connection), before_us, chunk_rows),
            ).fetchone()[0]
            if found is None:
                return removed
            old = (position, int(found), before_us)
            connection.execute(
                "INSERT INTO pruned_id SELECT id_digest(id) FROM call "
                "WHERE seq > ? AND seq <= ? AND at_us < ? ON CONFLICT DO NOTHING",
                old,
            )
            removed += connection.execute(
                "DELETE FROM call WHERE seq > ? AND seq <= ? AND at_us < ?", old
            ).rowcount
        position = int(found)


def sweep(
    connection: sqlite3.Connection, root: Path, *, now_us: int, grace_us: int = GRACE_US
) -> int:
    """How many files left the disk: replaced ones and leftovers of crashes, older than the grace.

    It holds the store's write lock, as does whoever enters a file, so it never removes a file that
    is about to count.
    """
    with transaction(connection):
        paths = connection.execute(
            "SELECT path FROM lake_file WHERE replaced_us <= ?", (now_us - grace_us,)
        ).fetchall()
        removed = sum(_remove(root / path) for (path,) in paths)
        connection.executemany("DELETE FROM lake_file WHERE path = ?", paths)
        listed = {root / path for (path,) in connection.execute("SELECT path FROM lake_file")}
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
