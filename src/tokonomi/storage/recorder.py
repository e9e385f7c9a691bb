"""The recorder: attempts and settled calls become durable in groups, by one writer thread.

Everything that waits when the writer is free goes into one transaction, so the cost of a disk flush
is shared by all calls in flight. A group of intents is committed with `synchronous=NORMAL`, which
survives the death of the process; a group with a settled call with `FULL`, which survives a power
cut and takes all earlier groups with it, because they stand before it in the same log.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from tokonomi.calls import Call, Intent
from tokonomi.errors import AmountTooLarge, StoreError
from tokonomi.storage.call_writer import CallWriter, Record
from tokonomi.storage.engine import open_store

_log: Final = logging.getLogger("tokonomi.recorder")

_BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BUSY_RETRY_SECONDS: Final = 0.0002
_FAILED_RETRY_SECONDS: Final = 0.05
_CHECKPOINT_PAGES: Final = 4_000
_PRIMARY_CODE: Final = 0xFF
_ROW_DEFECTS: Final = (sqlite3.IntegrityError, AmountTooLarge, OverflowError, ValueError, TypeError)
"""What one row's values can raise, when it is encoded, bound or checked by the schema."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and for how long.

    Attributes:
        waiting: intents that may wait for the writer; further ones wait before they are taken.
        begin_seconds: how long an intent waits for a store that others keep busy.
        settle_seconds: how long a settled call is retried on a store that cannot be written.
    """

    waiting: int = 4_096
    begin_seconds: float = 10.0
    settle_seconds: float = 30.0


@dataclass(slots=True, eq=False)
class _Entry:
    """What waits for the writer: an intent or a settled call, and who waits for it."""

    record: Record
    done: asyncio.Future[None]
    give_up_at: float


class Recorder:
    """The one way in which live calls reach the store. Use it from one event loop.

    `begin` before a call leaves, `settle` when it has ended; both are durable when their awaitable
    is done. A call is settled once: a second one with the same id changes nothing.
    """

    def __init__(self, store: Path, worker_id: int, *, limits: Limits | None = None) -> None:
        """Opens the store and starts the writer.

        Args:
            store: the store's file.
            worker_id: the living worker (`workers.register`) that owns the attempts.
            limits: how much may wait, and for how long.
        """
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._waiting = 0
        self._room: asyncio.Future[None] | None = None
        self._closed = self._loop.create_future()
        self._closing = False
        self._failure: str | None = None
        self._writer = _Writer(store, worker_id, self._queue, self._deliver)
        self._thread = threading.Thread(target=self._write, name="tokonomi-recorder", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why the last group could not be written, or `None` while the store works."""
        return self._failure

    def begin(self, intent: Intent) -> Awaitable[None]:
        """Done when the attempt is durable and the call may leave.

        Raises:
            StoreError: the store cannot be written, or stayed busy too long; nothing may leave.
        """
        if self._waiting >= self._limits.waiting:
            return self._begin_when_there_is_room(intent)
        return self._put(intent, self._limits.begin_seconds)

    def settle(self, call: Call) -> Awaitable[None]:
        """Done when the call's row is durable and its attempt gone.

        Raises:
            StoreError: the store could not be written for `settle_seconds`, or refuses this row.
                The attempt stays, so a later sweep reports the call.
        """
        return self._put(call, self._limits.settle_seconds)

    async def close(self) -> None:
        """Writes what waits, then ends the writer."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await self._closed

    async def _begin_when_there_is_room(self, intent: Intent) -> None:
        while self._waiting >= self._limits.waiting:
            self._room = self._room or self._loop.create_future()
            await asyncio.shield(self._room)
        await self._put(intent, self._limits.begin_seconds)

    def _put(self, record: Record, patience_seconds: float) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        if self._closing:
            done.set_exception(StoreError("the recorder is closed"))
            return done
        self._waiting += 1
        self._queue.put(_Entry(record, done, time.monotonic() + patience_seconds))
        return done

    def _write(self) -> None:
        try:
            self._writer.run()
        finally:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """No writer any more: whoever still waits is told so."""
        self._closing = True
        left = [entry for entry in self._writer.unwritten() if not entry.done.done()]
        self._failure = "the recorder has ended"
        for entry in left:
            entry.done.set_exception(StoreError(self._failure))
        self._closed.set_result(None)

    def _deliver(self, outcomes: "Sequence[_Outcome]", failure: str | None) -> None:
        """Called by the writer: wakes the event loop once for a whole group."""
        self._loop.call_soon_threadsafe(self._resolve, outcomes, failure)

    def _resolve(self, outcomes: "Sequence[_Outcome]", failure: str | None) -> None:
        self._failure = failure
        self._waiting -= len(outcomes)
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        for entry, error in outcomes:
            if entry.done.done():
                continue
            if error is None:
                entry.done.set_result(None)
            else:
                entry.done.set_exception(error)


_Outcome = tuple[_Entry, StoreError | None]
_Deliver = Callable[[Sequence[_Outcome], str | None], None]


class _Writer:
    """The thread's side: takes what waits, commits it as a group, says how it went."""

    def __init__(
        self,
        store: Path,
        worker_id: int,
        queue: SimpleQueue[_Entry | None],
        deliver: _Deliver,
    ) -> None:
        connection = open_store(store)
        # Waiting inside SQLite sleeps in growing steps; our own short retry is faster (measured).
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        self._calls = CallWriter(connection, worker_id)
        self._queue = queue
        self._deliver = deliver
        self._stopping = False
        self._group: list[_Entry] = []

    def run(self) -> None:
        """Writes until the queue says that no more comes, and all of it is resolved."""
        while not self._stopping or self._group:
            self._group += self._take(block=not self._group)
            if self._group:
                self._group = self._write_group(self._group)
        self._calls.connection.close()

    def unwritten(self) -> list[_Entry]:
        """What still waited when the writer ended."""
        return self._group + self._take(block=False)

    def _take(self, *, block: bool) -> list[_Entry]:
        taken: list[_Entry] = []
        try:
            while True:
                entry = self._queue.get(block=block and not taken)
                if entry is None:
                    self._stopping = True
                    return taken
                taken.append(entry)
        except Empty:
            return taken

    def _write_group(self, group: list[_Entry]) -> list[_Entry]:
        """The entries to try again, after the others were written or given up."""
        try:
            self._calls.write([entry.record for entry in group])
        except _ROW_DEFECTS as error:
            return self._write_apart(group, error)
        except sqlite3.OperationalError as error:
            return self._after_failure(group, error)
        except sqlite3.Error as error:
            return self._write_apart(group, error)
        self._deliver([(entry, None) for entry in group], None)
        return []

    def _write_apart(self, group: list[_Entry], error: Exception) -> list[_Entry]:
        """One row that the schema refuses must not take its whole group with it."""
        if len(group) > 1:
            return [kept for entry in group for kept in self._write_group([entry])]
        _log.error("the store refuses the row of call %s: %s", _id(group[0]), error)
        refusal = StoreError(
            f"the store refuses the row of call {_id(group[0])}: {error}",
            remedy="This is a defect of Tokonomi; please report it with this text.",
        )
        self._deliver([(group[0], refusal)], None)
        return []

    def _after_failure(self, group: list[_Entry], error: sqlite3.OperationalError) -> list[_Entry]:
        busy = error.sqlite_errorcode & _PRIMARY_CODE in _BUSY_CODES
        now = time.monotonic()
        kept: list[_Entry] = []
        given_up: list[_Entry] = []
        for entry in group:
            hopeful = now < entry.give_up_at and (busy or not isinstance(entry.record, Intent))
            (kept if hopeful else given_up).append(entry)
        if given_up:
            _log.error("%d records could not be written: %s", len(given_up), error)
        refusal = StoreError(
            f"the store cannot be written: {error}",
            remedy="Check the free space and the permissions of its disk, and who else writes.",
        )
        self._deliver([(entry, refusal) for entry in given_up], None if busy else str(error))
        if kept:
            time.sleep(_BUSY_RETRY_SECONDS if busy else _FAILED_RETRY_SECONDS)
        return kept


def _id(entry: _Entry) -> str:
    record = entry.record
    return record.id if isinstance(record, Intent) else record.intent.id
