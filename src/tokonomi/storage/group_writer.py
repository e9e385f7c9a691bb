"""The recorder's thread: takes what waits, commits it as a group, says how it went."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Final

from tokonomi.budgets.rate_limit import Standing
from tokonomi.errors import StoreError
from tokonomi.storage.call_groups import (
    ROW_DEFECTS,
    Begin,
    Memory,
    Outcome,
    Record,
    Settle,
    write_group,
)
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, StoreBusy
from tokonomi.storage.locked_accounts import FreeOfAccounts
from tokonomi.storage.log_recovery import write_log
from tokonomi.storage.sole_use import SoleUse

_log: Final = logging.getLogger("tokonomi.recorder")

_BUSY_RETRY_SECONDS: Final = 0.0002
_FAILED_RETRY_SECONDS: Final = 0.05


@dataclass(slots=True, eq=False)
class Entry:
    """What waits for the writer, and who waits for it."""

    record: Begin | Settle
    done: asyncio.Future[Outcome]
    give_up_at: float

    @property
    def id(self) -> str:
        """The id of the call."""
        record = self.record
        return record.intent.id if isinstance(record, Begin) else record.call.intent.id


@dataclass(slots=True)
class Work:
    """What is handed to the writer together.

    Attributes:
        entries: beginnings and ends that somebody waits for.
        records: of the worker's log; the store gets them first.
        alone: whether this worker is to change accounts alone from now on, or still.
        since: how often others might change accounts when this was handed over
            (`LoneCalls.forgotten`).
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    records: list[Record] = field(default_factory=list[Record])
    alone: bool = False
    since: int = 0

    def add(self, other: "Work") -> None:
        """Takes up what was handed over later."""
        self.entries += other.entries
        self.records += other.records
        self.alone = self.alone and other.alone
        self.since = other.since

    def __bool__(self) -> bool:
        return bool(self.entries or self.records)


@dataclass(frozen=True, slots=True)
class Report:
    """How it went.

    Attributes:
        results: the entries that are done, and what they got.
        booked: how many records of the log the store has more.
        failure: why the store cannot be written; None while it works.
        free: what the accounts of the entries have free, if this worker alone changes accounts.
        since: that of the work.
    """

    results: Sequence[tuple[Entry, Outcome | StoreError]] = ()
    booked: int = 0
    failure: str | None = None
    free: FreeOfAccounts | None = None
    since: int = 0


class GroupWriter:
    """A connection to the store, and the thread that writes groups with it."""

    def __init__(
        self,
        database: Database,
        worker_id: int,
        report: Callable[[Report], None],
        *,
        sole_use: SoleUse | None,
        last_seconds: float,
    ) -> None:
        """Takes over the connection.

        Args:
            database: the connection.
            worker_id: the living worker that owns the attempts.
            report: called from the thread.
            sole_use: the connection's lock on accounts, where a worker can be alone.
            last_seconds: how long it is tried to write what is left at the end.
        """
        database.impatient()
        self._database = database
        self._worker_id = worker_id
        self._report = report
        self._sole_use = sole_use
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self.standings: dict[str, tuple[Standing, ...]] = {}
        self._stopping = False
        self._last_seconds = last_seconds
        self._give_up_at = math.inf
        self._left = Work(alone=True)

    def put(self, work: Work | None) -> None:
        """Hands work over; None when no more comes."""
        self._queue.put(work)

    def run(self) -> None:
        """Writes until no more comes, and all of it is resolved or given up."""
        try:
            while not self._stopping or self._goes_on():
                self._take(block=not self._left)
                if self._left or self._is_to_let_go():
                    self._left = self._written(self._left)
        finally:
            # However it ends: others must not wait for a lock that nobody gives back.
            self._database.close()

    def write_at_once(self, work: Work) -> Report | None:
        """How a piece of work went, or None when it must wait in the queue like any other.

        Call it from the event loop, and only while nothing is in the queue or being written.
        """
        try:
            return self._group(work)
        except (StoreError, *ROW_DEFECTS):
            # A local commit that fails leaves nothing. The writer tries again, and says what is
            # wrong if it still is.
            return None

    @property
    def is_alone(self) -> bool:
        """Whether this worker alone changes accounts."""
        return self._sole_use is not None and self._sole_use.is_alone

    def let_go(self) -> None:
        """Lets others change accounts. Call it when one may `write_at_once`."""
        if self._sole_use is not None:
            self._sole_use.let_go()

    def unwritten(self) -> list[Entry]:
        """What still waited when the writer ended."""
        self._take(block=False)
        return self._left.entries

    def _goes_on(self) -> bool:
        if self._left.records and time.monotonic() > self._give_up_at:
            _log.error(
                "%d records stay in the log of worker %d; whoever opens the store next brings them"
                " in",
                len(self._left.records),
                self._worker_id,
            )
            return bool(self._left.entries)
        return bool(self._left) or self._is_to_let_go()

    def _is_to_let_go(self) -> bool:
        return self.is_alone and not self._left.alone

    def _take(self, *, block: bool) -> None:
        try:
            while True:
                work = self._queue.get(block=block)
                if work is None:
                    self._stopping = True
                    self._left.alone = False
                    self._give_up_at = time.monotonic() + self._last_seconds
                    return
                self._left.add(work)
                block = False
        except Empty:
            return

    def _written(self, work: Work) -> Work:
        """What is to be tried again, after the rest was written or given up."""
        try:
            self._report(self._group(work))
        except ROW_DEFECTS as error:
            return self._write_apart(work, error)
        except StoreError as error:
            return self._after_failure(work, error)
        return Work(alone=True)

    def _group(self, work: Work) -> Report:
        """Writes all of it in one transaction, or nothing."""
        sole_use = self._sole_use
        wants = work.alone and bool(work.entries)
        is_alone = sole_use is not None and (
            sole_use.is_alone or (wants and sole_use.take(self._worker_id))
        )
        free = FreeOfAccounts() if wants and is_alone else None
        outcomes: list[Outcome] = []
        if work:
            outcomes = write_group(
                self._database,
                self._worker_id,
                [entry.record for entry in work.entries],
                at_us=microseconds(datetime.now(UTC)),
                log=work.records,
                memory=Memory(self.standings, free),
            )
        self._share_after(work)
        results = list(zip(work.entries, outcomes, strict=True))
        return Report(results, booked=len(work.records), free=free, since=work.since)

    def _write_apart(self, work: Work, error: Exception) -> Work:
        """One row that the schema refuses must not take its whole group with it."""
        if work.records:
            try:
                write_log(self._database, self._worker_id, work.records)
            except StoreError as failure:
                # Those that it wrote are booked, and passed over the next time.
                return self._after_failure(work, failure)
            if not work.entries:
                self._share_after(work)
            self._report(Report(booked=len(work.records)))
            work = Work(work.entries, alone=work.alone, since=work.since)
            return self._written(work) if work else Work(alone=True)
        if len(work.entries) > 1:
            left = Work(alone=True)
            for entry in work.entries:
                left.add(self._written(Work([entry], alone=False)))
            return left
        (entry,) = work.entries
        _log.error("the store refuses the row of call %s: %s", entry.id, error)
        refusal = StoreError(
            f"the store refuses the row of call {entry.id}: {error}",
            remedy="This is a defect of Tokonomi; please report it with this text.",
        )
        self._share_after(work)
        self._report(Report([(entry, refusal)]))
        return Work(alone=True)

    def _after_failure(self, work: Work, error: StoreError) -> Work:
        """What to try again: all of a busy store's, else the ends, which may stand already.

        A beginning that may stand is not tried again: its call does not leave, and is settled.
        Records of the log are tried again for as long as the writer runs.
        """
        busy = isinstance(error, StoreBusy)
        now = time.monotonic()
        kept: list[Entry] = []
        given_up: list[Entry] = []
        for entry in work.entries:
            in_time = now < min(entry.give_up_at, self._give_up_at)
            hopeful = in_time and (busy or isinstance(entry.record, Settle))
            (kept if hopeful else given_up).append(entry)
        if given_up:
            _log.error("%d records could not be written: %s", len(given_up), error)
        left = Work(kept, work.records, alone=work.alone, since=work.since)
        if not left:
            self._share_after(work)
        failure = None if busy else str(error)
        self._report(Report([(entry, error) for entry in given_up], failure=failure))
        if not left:
            return Work(alone=True)
        time.sleep(_BUSY_RETRY_SECONDS if busy else _FAILED_RETRY_SECONDS)
        return left

    def _share_after(self, work: Work) -> None:
        """Lets others change accounts, unless this work wants to be alone.

        Before anybody hears of the work: the event loop may be alone again as soon as it has heard.
        """
        if not work.alone:
            self.let_go()
