"""SQLite as the store: one file in WAL mode, for the processes of one host."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.storage.database import (
    Cursor,
    Database,
    Dialect,
    Row,
    StoreBusy,
    StoreRefused,
    Subject,
    Value,
)
from tokonomi.storage.sole_use import SoleUse, bell_of

BUSY_TIMEOUT_MS: Final = 10_000
CHECKPOINT_PAGES: Final = 4_000
_BUSY_RETRY_SECONDS: Final = 0.005
_BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY_CODE: Final = 0xFF
_ROWS_AT_ONCE: Final = 16
"""Rows that one statement inserts; it counts what it gives numbers to once."""
_LOG: Final = ".log"
_FULL_DISK_REMEDY: Final = (
    "Check the free space and the permissions of its disk, and who else writes."
)


class SqliteDatabase:
    """A connection to the store's file."""

    def __init__(self, path: Path, bring_in: Callable[[Database, int], None]) -> None:
        """Opens or makes the file.

        `bring_in` gives the store what a worker has in its log; it is called when a worker has died
        while it alone changed accounts, before anybody else does.
        """
        self.path = path
        self.sole_use = SoleUse(self.workers_folder, patience_seconds=BUSY_TIMEOUT_MS / 1000)
        self._bring_in = bring_in
        self._power_safe = True
        self._lives: dict[int, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                _execute_patiently(self._connection, f"PRAGMA {pragma}")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the store {path} cannot be opened: {error}",
                remedy="Check the path, its permissions and the free space of its disk.",
            ) from error

    @property
    def dialect(self) -> Dialect:
        """Always `sqlite`."""
        return "sqlite"

    @property
    def is_local(self) -> bool:
        """Always true."""
        return True

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """See `Database.execute`."""
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise _meaning(error) from error

    def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """See `Database.executemany`."""
        try:
            return self._connection.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise _meaning(error) from error

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Value]],
        *,
        keep_known: bool = False,
    ) -> int:
        """See `Database.insert`."""
        names = tuple(columns)
        together = len(rows) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
        added = 0
        if together:
            many = _insertion(table, names, keep_known=keep_known, rows=_ROWS_AT_ONCE)
            firsts = range(0, together, _ROWS_AT_ONCE)
            values = [tuple(chain.from_iterable(rows[at : at + _ROWS_AT_ONCE])) for at in firsts]
            added = self.executemany(many, values)
        if together < len(rows):
            one = _insertion(table, names, keep_known=keep_known)
            added += self.executemany(one, rows[together:])
        return added

    def batches(self, sql: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See `Database.batches`."""
        with _meant():
            cursor = self._connection.execute(sql, values)
            while rows := cursor.fetchmany(size):
                yield rows

    def transaction(self, *, power_safe: bool = True, accounts: bool = False) -> "_Transaction":
        """See `Database.transaction`; the only write lock there is is taken at once."""
        if accounts:
            share = partial(self._share, power_safe=power_safe)
            return _Transaction(self._connection, share, self.sole_use)
        self._flush(power_safe=power_safe)
        return _Transaction(self._connection, None, self.sole_use)

    def _share(self, *, power_safe: bool) -> None:
        dead = self.sole_use.share()
        try:
            if dead:
                self._bring_in(self, dead)
                self.sole_use.forget()
            # Not before: what is brought in is a transaction of its own.
            self._flush(power_safe=power_safe)
        except BaseException:
            self.sole_use.unshare()
            raise

    def _flush(self, *, power_safe: bool) -> None:
        """Has further transactions survive a power cut, or only the death of processes."""
        if power_safe is not self._power_safe:
            self.execute(f"PRAGMA synchronous={'FULL' if power_safe else 'NORMAL'}")
            self._power_safe = power_safe

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """See `Database.snapshot`."""
        with _meant():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def serialise(self, subject: Subject) -> None:
        """Nothing to do: there is one write transaction at a time."""

    def impatient(self) -> None:
        """See `Database.impatient`: SQLite itself would sleep in growing steps."""
        self.sole_use.patience_seconds = 0
        self._connection.execute("PRAGMA busy_timeout=0")
        self._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")

    def live(self, worker_id: int) -> None:
        """See `Database.live`: a lock on a file beside the store, which the kernel drops.

        A process id would not do: ids are reused, and two containers on one volume are both 1.
        """
        lock = _take(self._lock_path(worker_id))
        assert lock is not None, "a new worker's lock was taken"
        self._lives[worker_id] = lock

    def is_alive(self, worker_id: int) -> bool:
        """See `Database.is_alive`."""
        lock = _take(self._lock_path(worker_id))
        if lock is None:
            return True
        os.close(lock)
        return False

    def die(self, worker_id: int) -> None:
        """See `Database.die`."""
        self.log_path(worker_id).unlink(missing_ok=True)
        bell_of(self.workers_folder, worker_id).unlink(missing_ok=True)
        self._lock_path(worker_id).unlink(missing_ok=True)
        if worker_id in self._lives:
            os.close(self._lives.pop(worker_id))

    def logs(self) -> Mapping[int, Path]:
        """See `Database.logs`."""
        return {
            int(path.stem): path
            for path in self.workers_folder.glob(f"*{_LOG}")
            if path.stem.isdecimal()
        }

    def log_path(self, worker_id: int) -> Path:
        """Where a worker's log is."""
        return self.workers_folder / f"{worker_id}{_LOG}"

    @property
    def workers_folder(self) -> Path:
        """Where workers have their locks, logs and bells."""
        return self.path.with_name(f"{self.path.name}.workers")

    def _lock_path(self, worker_id: int) -> Path:
        self.workers_folder.mkdir(exist_ok=True)
        return self.workers_folder / f"{worker_id}.lock"

    def define(self, statement: str) -> None:
        """See `Database.define`."""
        self._connection.execute(statement)

    def schema_version(self) -> int:
        """See `Database.schema_version`."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def set_schema_version(self, version: int) -> None:
        """See `Database.set_schema_version`."""
        self._connection.execute(f"PRAGMA user_version={version}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self.sole_use.close()


class _Transaction:
    """A write transaction of a connection. Every call has two, so it is no generator."""

    __slots__ = ("_connection", "_share", "_sole_use")

    def __init__(
        self, connection: sqlite3.Connection, share: Callable[[], None] | None, sole_use: SoleUse
    ) -> None:
        self._connection = connection
        self._share = share
        self._sole_use = sole_use

    def __enter__(self) -> None:
        # Before SQLite's own lock: a worker that is alone needs that one to let go.
        if self._share is not None:
            self._share()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._unshare()
            raise _meaning(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._commit()
            else:
                self._roll_back()
        finally:
            self._unshare()

    def _unshare(self) -> None:
        if self._share is not None:
            self._sole_use.unshare()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException as failure:
            self._roll_back()
            if isinstance(failure, sqlite3.Error):
                raise _meaning(failure) from failure
            raise

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _meaning(error) from error


def _execute_patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Runs a statement on a store that others may be creating.

    While one process turns a new file into WAL mode, SQLite refuses the others at once, without
    the wait that it was told to make.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY_CODE in _BUSY_CODES
            if not busy or time.monotonic() > give_up_at:
                raise
            time.sleep(_BUSY_RETRY_SECONDS)
        else:
            return


@cache
def _insertion(table: str, columns: tuple[str, ...], *, keep_known: bool, rows: int = 1) -> str:
    marks = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    conflict = " ON CONFLICT (id) DO NOTHING" if keep_known else ""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}{conflict}"  # noqa: S608 - our own names


def _take(path: Path) -> int | None:
    """A descriptor that holds the file's lock, or `None` while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _meant() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(error) from error


def _meaning(error: sqlite3.Error) -> StoreError:
    # Errors of the driver itself, such as too many values, have no code.
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _BUSY_CODES:
        return StoreBusy(f"the store is busy: {error}", remedy="Try again.")
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"the store cannot be written: {error}", remedy=_FULL_DISK_REMEDY)
    return StoreRefused(
        f"the store refuses a row: {error}",
        remedy="This is a defect of Tokonomi; please report it with this text.",
    )
