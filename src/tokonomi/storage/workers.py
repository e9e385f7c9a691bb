"""Processes that write calls, and which of them are dead.

A worker holds an operating-system lock on a file of its own for as long as it lives. The kernel
drops the lock when the process ends, however it ends, so a lock that can be taken means a dead
worker. A process id would not do: ids are reused, and two containers on one volume are both 1.
"""

import fcntl
import os
import socket
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.engine import transaction


@dataclass(frozen=True, slots=True)
class Worker:
    """This process as a writer of calls: its row's id, and the lock that proves it alive."""

    id: int
    lock: int
    lock_path: Path


def register(connection: sqlite3.Connection, store: Path, *, now: datetime) -> Worker:
    """A new worker for this process, alive until `retire` or the end of the process.

    The row and the lock appear together: a sweep waits for this transaction, so it never sees the
    row of a worker that has no lock yet.
    """
    with transaction(connection):
        row = connection.execute(
            "INSERT INTO worker (host, pid, process_start, started_us) VALUES (?, ?, ?, ?)",
            (socket.gethostname(), os.getpid(), _process_start(now), microseconds(now)),
        )
        assert row.lastrowid is not None
        path = _lock_path(store, row.lastrowid)
        path.parent.mkdir(exist_ok=True)
        lock = _take(path)
        assert lock is not None, "a new row's lock was taken"
        return Worker(row.lastrowid, lock, path)


def retire(connection: sqlite3.Connection, worker: Worker, *, now: datetime) -> None:
    """Marks a worker as ended and lets go of its lock."""
    with transaction(connection):
        end(connection, worker.id, now=now)
    worker.lock_path.unlink(missing_ok=True)
    os.close(worker.lock)


def end(connection: sqlite3.Connection, worker_id: int, *, now: datetime) -> None:
    """Marks a worker as ended, inside the caller's transaction."""
    connection.execute(
        "UPDATE worker SET ended_us = ? WHERE id = ? AND ended_us IS NULL",
        (microseconds(now), worker_id),
    )


def dead_workers(connection: sqlite3.Connection, store: Path) -> list[int]:
    """Ids of workers that are not marked as ended and whose process is gone.

    Call it inside a transaction, so that no worker is between its row and its lock.
    """
    rows = connection.execute("SELECT id FROM worker WHERE ended_us IS NULL").fetchall()
    return [worker_id for (worker_id,) in rows if _is_dead(_lock_path(store, worker_id))]


def forget_lock(store: Path, worker_id: int) -> None:
    """Removes what a dead worker left beside the store."""
    _lock_path(store, worker_id).unlink(missing_ok=True)


def _lock_path(store: Path, worker_id: int) -> Path:
    return store.with_name(f"{store.name}.workers") / f"{worker_id}.lock"


def _is_dead(path: Path) -> bool:
    lock = _take(path)
    if lock is None:
        return False
    os.close(lock)
    return True


def _take(path: Path) -> int | None:
    """A descriptor that holds the lock, or `None` while another process holds it."""
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _process_start(now: datetime) -> str:
    """When this process began, as the kernel counts it where it tells, else our own clock."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return now.isoformat()
    return f"{fields[19]} ticks after boot"
