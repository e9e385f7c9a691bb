"""The recorder: beginnings and ends of calls become durable in groups, by one writer thread.

Everything that waits when the writer is free goes into one transaction (`call_groups`), so the cost
of a disk flush is shared by all calls in flight, and budgets are decided on balances that no other
process can touch meanwhile. A call that is the only one in flight has nobody to share with: on a
store of this host it goes to the worker's own log (`lone_calls`), and to the store soon after.
"""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokonomi.budgets.rate_limit import RateClaim, Standing
from tokonomi.calls import Call, Intent
from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Captured
from tokonomi.storage.call_groups import Begin, Outcome, Settle
from tokonomi.storage.engine import open_store
from tokonomi.storage.group_writer import Entry, GroupWriter, Report, Work
from tokonomi.storage.ledger import Claim
from tokonomi.storage.lone_calls import lone_calls

_SLOW_FLUSH_SECONDS: Final = 0.005
_FIRST_REST_SECONDS: Final = 0.02
_LONGEST_REST_SECONDS: Final = 1.0
"""How long nothing is written at once after that has held the event loop up: twice as long each
time, so that one hiccup costs little and a slow disk next to nothing."""
_PAUSE_SECONDS: Final = 0.005
"""The store gets what is in the log after a pause of this length in it."""
_LATEST_SECONDS: Final = 0.025
"""It gets it after this time at the latest."""
_IDLE_SECONDS: Final = 1.0
"""A worker that has decided nothing for about so long lets go of the accounts by itself: nobody has
to wait for one that is idle and then stands still, such as a paused container."""
_SHARED_SECONDS: Final = 0.25
"""How long a worker that others have asked to let go of the accounts shares them."""


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
        self._gathered: list[Entry] = []
        self._stays_alone = False
        self._waiting = 0
        self._rest_until = 0.0
        self._rest_seconds = _FIRST_REST_SECONDS
        self._shares_until = 0.0
        self._room: asyncio.Future[None] | None = None
        self._closed = self._loop.create_future()
        self._closing = False
        self._is_to_let_go = False
        self._failure: str | None = None
        self._booking: asyncio.TimerHandle | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._seen_idle = 0
        self._book_by = 0.0
        self._seen = 0
        database = open_store(store)
        try:
            self._lone = lone_calls(database, worker_id)
        except BaseException:
            database.close()
            raise
        self._writer = GroupWriter(
            database,
            worker_id,
            self._deliver,
            sole_use=None if self._lone is None else self._lone.sole_use,
            last_seconds=self._limits.settle_seconds,
        )
        if self._lone is not None:
            self._loop.add_reader(self._lone.bell.descriptor, self._asked_to_let_go)
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
        if alone and self._is_quiet():
            if rate is None and (held := self._begun_alone(begin)) is not None:
                return _done(self._loop, held)
            if (outcome := self._written_at_once(begin)) is not None:
                return _done(self._loop, outcome)
        if self._waiting >= self._limits.waiting:
            return self._begin_when_there_is_room(begin)
        return self._put(
            begin, self._limits.begin_seconds, alone=alone and self._may_be_alone(begin)
        )

    def settle(
        self,
        call: Call,
        captured: Sequence[Captured] | None = None,
        *,
        alone: bool = False,
        limited: bool = False,
        however_long: bool = False,
    ) -> Awaitable[Outcome]:
        """Done when the call's row and captures are durable, and its attempt and holds gone.

        Without `captured` all that the call holds is free again. `alone` is as in `begin`, and
        `limited` says that limits of its key count it, which the store itself does. With
        `however_long` it is tried for as long as this recorder is open: nobody waits for it.

        Raises:
            StoreError: the store could not be written for `settle_seconds`, or refuses this row.
                The attempt stays, and what it holds: settle the call once more, `however_long`.
        """
        settle = Settle(call, None if captured is None else tuple(captured))
        patience = math.inf if however_long else self._limits.settle_seconds
        if alone and self._is_quiet():
            if not limited and self._is_in_log(settle):
                return _Flush(self.flushed, settle, patience)
            if limited and (outcome := self._written_at_once(settle)) is not None:
                return _done(self._loop, outcome)
        return self._put(settle, patience)

    async def close(self) -> None:
        """Writes what waits, then ends the writer."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._writer.put(None)
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
        self._waiting += 1
        if not self._gathered:
            # What one turn of the event loop brings is handed over together: a writer that is woken
            # by the first record would commit it alone, and take the processor from the others.
            self._loop.call_soon(self._hand_over)
        self._stays_alone = alone and not self._gathered
        self._gathered.append(Entry(record, done, self._loop.time() + patience_seconds))
        return done

    def _hand_over(self) -> None:
        """Gives the writer all that waits; what it does not decide on alone, others may too."""
        self._give(Work(self._gathered, alone=self._stays_alone and len(self._gathered) == 1))
        self._gathered = []

    def _give(self, work: Work) -> None:
        if self._lone is not None:
            work.records = self._lone.take()
            if not work.alone:
                self._lone.forget()
            work.since = self._lone.forgotten
        if work:
            self._writer.put(work)
        elif not work.alone:
            self._is_to_let_go = True
            self._let_go()

    def _let_go(self) -> None:
        """Lets others change accounts, as soon as the writer has nothing more to do.

        The event loop does it, and not the writer some time later: by then it may be alone anew.
        """
        is_idle = not self._waiting and (self._lone is None or self._lone.is_booked)
        if self._is_to_let_go and is_idle and not self._closing:
            self._is_to_let_go = False
            if self._lone is not None:
                self._lone.forget()
            self._writer.let_go()

    def _is_quiet(self) -> bool:
        """Whether the event loop may wait for the disk itself: it is fast, and the store works."""
        return (
            not self._waiting
            and not self._closing
            and self._failure is None
            and self._lone is not None
            and self._loop.time() >= self._rest_until
        )

    def _begun_alone(self, begin: Begin) -> Outcome | None:
        assert self._lone is not None, "it is quiet on stores of this host alone"
        held = self._lone.begin(begin.intent, begin.claims)
        if held is not None:
            self._book_soon()
        return held

    def _is_in_log(self, settle: Settle) -> bool:
        assert self._lone is not None, "it is quiet on stores of this host alone"
        if not self._lone.settle(settle):
            return False
        self._book_soon()
        return True

    async def flushed(self, settle: Settle, patience_seconds: float) -> Outcome:
        """Done when an end that is in the log survives a power cut.

        Raises:
            StoreError: as `settle` does.
        """
        assert self._lone is not None, "only what is in a log is flushed"
        since = self._loop.time()
        # What the store has is on the disk, whatever becomes of the log.
        if not self._lone.flush() and not self._lone.is_booked:
            return await self._put(settle, patience_seconds)
        self._took(since)
        return ()

    def _written_at_once(self, record: Begin | Settle) -> Outcome | None:
        """What a call got that the writer need not be woken for; None when it must.

        The writer touches its connection only while something waits for it, so it is free now.
        """
        lone = self._lone
        assert lone is not None, "it is quiet on stores of this host alone"
        if not lone.is_booked:
            return None
        since = self._loop.time()
        entry = Entry(record, self._loop.create_future(), math.inf)
        work = Work([entry], alone=self._may_be_alone(record))
        if not work.alone:
            lone.forget()
        work.since = lone.forgotten
        report = self._writer.write_at_once(work)
        self._took(since)
        if report is None:
            return None
        self._learn(report)
        ((_, outcome),) = report.results
        assert not isinstance(outcome, StoreError), "a group that was written has no errors"
        return outcome

    def _may_be_alone(self, record: Begin | Settle) -> bool:
        """Whether this worker is to decide on such calls by itself from now on."""
        return (
            isinstance(record, Begin)
            and bool(record.claims)
            and record.rate is None
            and self._loop.time() >= self._shares_until
        )

    def _took(self, since: float) -> None:
        now = self._loop.time()
        if now - since > _SLOW_FLUSH_SECONDS:
            self._rest_until = now + self._rest_seconds
            self._rest_seconds = min(2 * self._rest_seconds, _LONGEST_REST_SECONDS)
        else:
            self._rest_seconds = _FIRST_REST_SECONDS

    def _book_soon(self) -> None:
        if self._booking is None:
            now = self._loop.time()
            self._book_by = now + _LATEST_SECONDS
            self._booking = self._loop.call_at(now + _PAUSE_SECONDS, self._book)

    def _book(self) -> None:
        """Gives the store what is in the log, unless more comes all the time."""
        assert self._lone is not None, "only what is in a log is booked"
        now = self._loop.time()
        if self._seen != self._lone.newest and now < self._book_by:
            self._seen = self._lone.newest
            self._booking = self._loop.call_at(now + _PAUSE_SECONDS, self._book)
            return
        self._booking = None
        if not self._closing:
            self._give(Work(alone=True))

    def _let_go_if_idle(self) -> None:
        """Looks about once a second whether this worker still decides on accounts by itself."""
        assert self._lone is not None, "only a worker that can be alone lets go"
        self._leaving = None
        if self._closing or not self._writer.is_alone:
            return
        if self._seen_idle == self._lone.newest and not self._waiting:
            self._give(Work())
            return
        self._look_for_idleness()

    def _look_for_idleness(self) -> None:
        assert self._lone is not None, "only a worker that can be alone lets go"
        if self._leaving is None:
            self._seen_idle = self._lone.newest
            self._leaving = self._loop.call_later(_IDLE_SECONDS, self._let_go_if_idle)

    def _asked_to_let_go(self) -> None:
        """Somebody else wants to change accounts."""
        assert self._lone is not None, "only a worker that can be alone is asked"
        self._lone.bell.silence()
        self._shares_until = self._loop.time() + _SHARED_SECONDS
        if not self._closing:
            self._give(Work())

    def _write(self) -> None:
        try:
            self._writer.run()
        finally:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """No writer any more: whoever still waits is told so."""
        self._closing = True
        left = [*self._gathered, *self._writer.unwritten()]
        self._failure = "the recorder has ended"
        for entry in left:
            if not entry.done.done():
                entry.done.set_exception(StoreError(self._failure))
        for timer in (self._booking, self._leaving):
            if timer is not None:
                timer.cancel()
        if self._lone is not None:
            self._loop.remove_reader(self._lone.bell.descriptor)
            self._lone.close()
        self._closed.set_result(None)

    def _deliver(self, report: Report) -> None:
        """Called by the writer: wakes the event loop once for a whole group."""
        self._loop.call_soon_threadsafe(self._resolve, report)

    def _resolve(self, report: Report) -> None:
        self._learn(report)
        self._waiting -= len(report.results)
        self._let_go()
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        for entry, outcome in report.results:
            if entry.done.done():
                continue
            if isinstance(outcome, StoreError):
                entry.done.set_exception(outcome)
            else:
                entry.done.set_result(outcome)

    def _learn(self, report: Report) -> None:
        self._failure = report.failure
        if self._lone is not None:
            self._lone.booked(report.booked)
            if report.free is not None:
                self._lone.know(report.free, since=report.since)
                self._look_for_idleness()


class _Flush:
    """An end that is in the log: it is flushed when somebody waits for that, and not before.

    The disk writes already, so what is left to do meanwhile costs nothing.
    """

    __slots__ = ("_flushed", "_patience_seconds", "_settle")

    def __init__(
        self,
        flushed: Callable[[Settle, float], Coroutine[None, None, Outcome]],
        settle: Settle,
        patience_seconds: float,
    ) -> None:
        self._flushed = flushed
        self._settle = settle
        self._patience_seconds = patience_seconds

    def __await__(self) -> Generator[None, None, Outcome]:
        return self._flushed(self._settle, self._patience_seconds).__await__()


def _done(loop: asyncio.AbstractEventLoop, outcome: Outcome) -> asyncio.Future[Outcome]:
    done: asyncio.Future[Outcome] = loop.create_future()
    done.set_result(outcome)
    return done
