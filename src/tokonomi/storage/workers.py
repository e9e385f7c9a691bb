"""Processes that write calls, and which of them are dead.

A worker holds a sign of life in the store for as long as its process lives (`Database.live`): the
kernel or the database server drops it when the process ends, however it ends.
"""

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tokonomi.errors import StoreError
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database
from tokonomi.storage.log_recovery import bring_in_log


def register(database: Database, *, now: datetime) -> int:
    """The id of a new worker for this process, alive until `retire` or the end of the process.

    Keep the connection open: the sign of life may hang on it. The row and the sign appear
    together: a sweep waits for this transaction, so it never sees a worker between the two.
    """
    with database.transaction():
        database.serialise("workers")
        row = database.execute(
            "INSERT INTO worker (host, pid, process_start, started_us) VALUES (?, ?, ?, ?)"
            " RETURNING id",
            (socket.gethostname(), os.getpid(), _process_start(now), microseconds(now)),
        ).fetchone()
        assert row is not None, "an inserted row has an id"
        database.live(row[0])
    return int(row[0])


def retire(database: Database, worker_id: int, *, now: datetime) -> None:
    """Marks a worker as ended and lets go of its sign of life; the store has its log then."""
    bring_in_log(database, worker_id)
    with database.transaction():
        end(database, worker_id, now=now)
    database.die(worker_id)


def keep_alive(database: Database, worker_id: int) -> None:
    """Uses the connection that a sign of life hangs on, and takes the sign again where it was lost.

    An idle connection does not notice that its server went away, and the sign with it. Others may
    have marked the worker as ended since; it is not.

    Raises:
        StoreError: the store cannot be reached.
    """
    try:
        is_ended = _is_ended(database, worker_id)
    except StoreError:
        # The connection is known to be lost now; the next statement makes it anew, with the sign.
        is_ended = _is_ended(database, worker_id)
    if is_ended:
        with database.transaction():
            database.execute("UPDATE worker SET ended_us = NULL WHERE id = ?", (worker_id,))


def _is_ended(database: Database, worker_id: int) -> bool:
    found = database.execute(
        "SELECT 1 FROM worker WHERE id = ? AND ended_us IS NOT NULL", (worker_id,)
    )
    return found.fetchone() is not None


def end(database: Database, worker_id: int, *, now: datetime) -> None:
    """Marks a worker as ended, inside the caller's transaction."""
    database.execute(
        "UPDATE worker SET ended_us = ? WHERE id = ? AND ended_us IS NULL",
        (microseconds(now), worker_id),
    )


def dead_workers(database: Database) -> list[int]:
    """Ids of workers that are not marked as ended and whose process is gone.

    The lines of batches belong to no process (`batch_holds.BATCHES`), and so never to a dead one.
    Call it inside a transaction that serialises `workers`, so that none is between its row and its
    sign of life.
    """
    rows = database.execute("SELECT id FROM worker WHERE ended_us IS NULL AND id > 0").fetchall()
    return [row[0] for row in rows if not database.is_alive(row[0])]


def note_configuration(database: Database, worker_id: int, version: int, failure: str) -> None:
    """Which version of the configuration a worker uses, and why it uses no newer one."""
    database.execute(
        "INSERT INTO worker_config (worker, version, failure) VALUES (?, ?, ?)"
        " ON CONFLICT (worker) DO UPDATE SET version = excluded.version,"
        " failure = excluded.failure",
        (worker_id, version, failure),
    )


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A living process, and the version of the configuration that it uses."""

    id: int
    host: str
    pid: int
    started: datetime
    version: int
    failure: str


def running_workers(database: Database) -> list[RunningWorker]:
    """The living processes that have said which version they use, in the order of their starts."""
    with database.transaction():
        database.serialise("workers")
        dead = {*dead_workers(database)}
        rows = database.execute(
            "SELECT id, host, pid, started_us, version, failure FROM worker"
            " JOIN worker_config ON worker = id WHERE ended_us IS NULL ORDER BY id"
        ).fetchall()
    return [
        RunningWorker(number, host, pid, instant(started), version, failure)
        for number, host, pid, started, version, failure in rows
        if number not in dead
    ]


def _process_start(now: datetime) -> str:
    """When this process began, as the kernel counts it where it tells, else our own clock."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return now.isoformat()
    return f"{fields[19]} ticks after boot"
