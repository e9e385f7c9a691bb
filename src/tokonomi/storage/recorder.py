"""The recorder: beginnings and ends of calls become durable in groups, by one writer thread.

Everything that waits when the writer is free goes into one transaction (`call_groups`), so the cost
of a disk flush is shared by all calls in flight, and budgets are decided on balances that no other
process can touch meanwhile. A call that is the only one in flight has nobody to share with: on a
store of this host it is written at once, without waking the writer and being woken by it.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from tokonomi.budgets.rate_limit import RateClaim, Standing
from tokonomi.calls import Call, Intent
from tokonomi.errors import AmountTooLarge, StoreError
from tokonomi.ledger.hold import Captured
from tokonomi.storage.call_groups import Begin, Outcome, Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import StoreBusy, StoreRefused
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim

_log: Final = logging.getLogger("tokonomi.recorder")

_BUSY_RETRY_SECONDS: Final = 0.0002
_FAILED_RETRY_SECONDS: Final = 0.05
_SLOW_FLUSH_SECONDS: Final = 0.005
_FIRST_REST_SECONDS: Final = 0.02
_LONGEST_REST_SECONDS: Final = 1.0
"""How long nothing is written at once after that has held the event loop up: twice as long each
time, so that one hiccup costs little and a slow disk next to nothing."""
_ROW_DEFECTS: Final = (StoreRefused, AmountTooLarge, OverflowError, ValueError, TypeError)
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
    """What waits for the writer, and who waits for it."""

    record: Begin | Settle
    done: asyncio.Future[Outcome]
    give_up_at: float

    @property
    def id(self) -> str:
        """The id of the call."""
        record = self.record
        return record.intent.id if isinstance(record, Begin) else record.call.intent.id


class Recorder:
    """The one way in which live calls reach the store. Use it from one event loop.

    `begin` before a call leaves, `settle` when it has ended; both are durable when their awaitable
    is done. A call is settled once: a second one with the same id changes nothing.
    """

    def __init__(self, store: Path | str, worker_id: int, *, limits: Limits | None = None) -> None:
        """Opens the store and starts the writer.

        Args:
            store: where the store is, as `open_store` takes it.
            worker_id: the living worker (`workers.register`) that owns the attempts.
            limits: how much may wait, and for how long.
        """
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        self._gathered: list[_Entry] = []
        self._waiting = 0
        self._rest_until = 0.0
        self._rest_seconds = _FIRST_REST_SECONDS
        self._room: asyncio.Future[None] | None = None
        self._closed = self._loop.create_future()
        self._closing = False
        self._failure: str | None = None
        self._writer = _Writer(
            store, worker_id, self._queue, self._deliver, last_seconds=self._limits.settle_seconds
        )
        self._thread = threading.Thread(target=self._write, name="tokonomi-recorder", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why the last group could not be written, or `None` while the store works."""
        return self._failure

    def standing_of(self, key_id: str) -> tuple[Standing, ...]:
        """The limits of a key and what was left of them when this recorder last wrote for it."""
        return self._writer.standings.get(key_id, ())

    def begin(
        self,
        intent: Intent,
        claims: Sequence[Claim] = (),
        *,
        rate: RateClaim | None = None,
        alone: bool = False,
    ) -> Awaitable[Outcome]:
        """The holds of a call on all that it claims, when they are durable and it may leave.

        `rate` is what it claims of the limits of its key. A `Refusal` means that it may not leave;
        no hold was written then. `alone` says that no other call
        is in flight, so that nobody minds if the event loop waits for the disk.

        Raises:
            StoreError: the store cannot be written, or stayed busy too long; nothing may leave.
        """
        begin = Begin(intent, tuple(claims), rate)
        if self._waiting >= self._limits.waiting:
            return self._begin_when_there_is_room(begin)
        return self._put(begin, self._limits.begin_seconds, alone=alone)

    def settle(
        self,
        call: Call,
        captured: Sequence[Captured] | None = None,
        *,
        alone: bool = False,
        however_long: bool = False,
    ) -> Awaitable[Outcome]:
        """Done when the call's row and captures are durable, and its attempt and holds gone.

        Without `captured` all that the call holds is free again. `alone` is as in `begin`. With
        `however_long` it is tried for as long as this recorder is open: nobody waits for it.

        Raises:
            StoreError: the store could not be written for `settle_seconds`, or refuses this row.
                The attempt stays, and what it holds: settle the call once more, `however_long`.
        """
        settle = Settle(call, None if captured is None else tuple(captured))
        patience = math.inf if however_long else self._limits.settle_seconds
        return self._put(settle, patience, alone=alone)

    async def close(self) -> None:
        """Writes what waits, then ends the writer."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._queue.put(None)
        await self._closed

    async def _begin_when_there_is_room(self, begin: Begin) -> Outcome:
        while self._waiting >= self._limits.waiting:
            self._room = self._room or self._loop.create_future()
            await asyncio.shield(self._room)
        return await self._put(begin, self._limits.begin_seconds)

    def _put(
        self, record: Begin | Settle, patience_seconds: float, *, alone: bool = False
    ) -> asyncio.Future[Outcome]:
        done: asyncio.Future[Outcome] = self._loop.create_future()
        if self._closing:
            done.set_exception(StoreError("the recorder is closed"))
            return done
        if alone and not self._waiting and (outcome := self._written_at_once(record)) is not None:
            done.set_result(outcome)
            return done
        self._waiting += 1
        if not self._gathered:
            # What one turn of the event loop brings is handed over together: a writer that is woken
            # by the first record would commit it alone, and take the processor from the others.
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Entry(record, done, time.monotonic() + patience_seconds))
        return done

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def _written_at_once(self, record: Begin | Settle) -> Outcome | None:
        """What a call got that the writer need not be woken for; None when it must be.

        The writer touches its connection only while something waits for it, so it is free now.
        """
        begun = time.monotonic()
        if begun < self._rest_until:
            return None
        outcome = self._writer.write_at_once(record)
        now = time.monotonic()
        if now - begun > _SLOW_FLUSH_SECONDS:
            self._rest_until = now + self._rest_seconds
            self._rest_seconds = min(2 * self._rest_seconds, _LONGEST_REST_SECONDS)
        else:
            self._rest_seconds = _FIRST_REST_SECONDS
        if outcome is not None:
            self._failure = None
        return outcome

    def _write(self) -> None:
        try:
            self._writer.run()
        finally:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """No writer any more: whoever still waits is told so."""
        self._closing = True
        self._hand_over()
        left = [entry for entry in self._writer.unwritten() if not entry.done.done()]
        self._failure = "the recorder has ended"
        for entry in left:
            entry.done.set_exception(StoreError(self._failure))
        self._closed.set_result(None)

    def _deliver(self, results: "Sequence[_Result]", failure: str | None) -> None:
        """Called by the writer: wakes the event loop once for a whole group."""
        self._loop.call_soon_threadsafe(self._resolve, results, failure)

    def _resolve(self, results: "Sequence[_Result]", failure: str | None) -> None:
        self._failure = failure
        self._waiting -= len(results)
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        for entry, outcome in results:
            if entry.done.done():
                continue
            if isinstance(outcome, StoreError):
                entry.done.set_exception(outcome)
            else:
                entry.done.set_result(outcome)


_Result = tuple[_Entry, Outcome | StoreError]
_Deliver = Callable[[Sequence[_Result], str | None], None]


class _Writer:
    """The thread's side: takes what waits, commits it as a group, says how it went."""

    def __init__(
        self,
        store: Path | str,
        worker_id: int,
        queue: SimpleQueue[list[_Entry] | None],
        deliver: _Deliver,
        *,
        last_seconds: float,
    ) -> None:
        self._database = open_store(store)
        self._database.impatient()
        self._worker_id = worker_id
        self._queue = queue
        self._deliver = deliver
        self.standings: dict[str, tuple[Standing, ...]] = {}
        self._stopping = False
        self._last_seconds = last_seconds
        self._give_up_at = math.inf
        self._group: list[_Entry] = []

    def run(self) -> None:
        """Writes until the queue says that no more comes, and all of it is resolved."""
        while not self._stopping or self._group:
            self._group += self._take(block=not self._group)
            if self._group:
                self._group = self._write_group(self._group)
        self._database.close()

    def write_at_once(self, record: Begin | Settle) -> Outcome | None:
        """The outcome of one record, or None when it must wait in the queue like any other.

        Call it from the event loop, and only while nothing is in the queue or being written.
        """
        if not self._database.is_local:
            return None
        try:
            return self._written([record])[0]
        except (StoreError, *_ROW_DEFECTS):
            # A local commit that fails leaves nothing. The writer tries again, and says what is
            # wrong if it still is.
            return None

    def unwritten(self) -> list[_Entry]:
        """What still waited when the writer ended."""
        return self._group + self._take(block=False)

    def _take(self, *, block: bool) -> list[_Entry]:
        taken: list[_Entry] = []
        try:
            while True:
                gathered = self._queue.get(block=block and not taken)
                if gathered is None:
                    self._stopping = True
                    self._give_up_at = time.monotonic() + self._last_seconds
                    return taken
                taken += gathered
        except Empty:
            return taken

    def _write_group(self, group: list[_Entry]) -> list[_Entry]:
        """The entries to try again, after the others were written or given up."""
        try:
            outcomes = self._written([entry.record for entry in group])
        except _ROW_DEFECTS as error:
            return self._write_apart(group, error)
        except StoreError as error:
            return self._after_failure(group, error)
        self._deliver(list(zip(group, outcomes, strict=True)), None)
        return []

    def _written(self, group: Sequence[Begin | Settle]) -> list[Outcome]:
        return write_group(
            self._database,
            self._worker_id,
            group,
            at_us=microseconds(datetime.now(UTC)),
            standings=self.standings,
        )

    def _write_apart(self, group: list[_Entry], error: Exception) -> list[_Entry]:
        """One row that the schema refuses must not take its whole group with it."""
        if len(group) > 1:
            return [kept for entry in group for kept in self._write_group([entry])]
        _log.error("the store refuses the row of call %s: %s", group[0].id, error)
        refusal = StoreError(
            f"the store refuses the row of call {group[0].id}: {error}",
            remedy="This is a defect of Tokonomi; please report it with this text.",
        )
        self._deliver([(group[0], refusal)], None)
        return []

    def _after_failure(self, group: list[_Entry], error: StoreError) -> list[_Entry]:
        """The entries to try again: all of a busy store's, else the ends, which may stand already.

        A beginning that may stand is not tried again: its call does not leave, and is settled.
        """
        busy = isinstance(error, StoreBusy)
        now = time.monotonic()
        kept: list[_Entry] = []
        given_up: list[_Entry] = []
        for entry in group:
            in_time = now < min(entry.give_up_at, self._give_up_at)
            hopeful = in_time and (busy or isinstance(entry.record, Settle))
            (kept if hopeful else given_up).append(entry)
        if given_up:
            _log.error("%d records could not be written: %s", len(given_up), error)
        self._deliver([(entry, error) for entry in given_up], None if busy else str(error))
        if kept:
            time.sleep(_BUSY_RETRY_SECONDS if busy else _FAILED_RETRY_SECONDS)
        return kept
