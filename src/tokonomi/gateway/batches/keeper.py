"""The keeper of batches of one gateway: claims what is due, works on it, tidies up."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Final

from tokonomi.batches.answers import Lie
from tokonomi.batches.batch import Stage, failed_again
from tokonomi.errors import TokonomiError
from tokonomi.gateway.batches.desk import DAY_SECONDS, MICROSECONDS, Desk, now_us
from tokonomi.gateway.batches.holding import Rulebook
from tokonomi.gateway.batches.remote import NotNow, Remote
from tokonomi.gateway.batches.settlement import Means, SettledLine
from tokonomi.gateway.batches.work import Tools, Work
from tokonomi.gateway.config import Limits
from tokonomi.gateway.in_use import ConfigurationInUse
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.storage.batch_holds import void_lines
from tokonomi.storage.batch_store import (
    ClaimLost,
    StoredBatch,
    claim_batch,
    ended_before,
    forget_batch,
    let_go,
)
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import delete_expired

_log: Final = logging.getLogger("tokonomi.batches")
LOOK_SECONDS: Final = 0.5
_TIDY_SECONDS: Final = 60.0
_AT_ONCE: Final = 4
"""Batches that one gateway works on at the same time."""
_LONGEST_PAUSE_SECONDS: Final = 300
_DOUBLINGS: Final = 8


class Keeper:
    """Works on batches beside the requests. Any number of gateways may keep those of one store."""

    def __init__(
        self,
        store: str,
        desk: Desk,
        in_use: ConfigurationInUse,
        *,
        limits: Limits,
        worker: int,
        rules: RulesInForce,
    ) -> None:
        """`rules` are those of the requests, which are told of wallets that cannot pay."""
        self._store = StoreTurns(store)
        self._desk = desk
        self._in_use = in_use
        self._worker = worker
        # Its own, since a budget in force keeps the window of who asked last.
        self._rules = RulesInForce(output_cap=limits.output_tokens)
        self._rules_of_requests = rules
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._tidied = 0.0
        self._tools = Tools(
            store=self._store,
            worker=worker,
            settings=desk.settings,
            body_bytes=desk.body_bytes,
            reply_bytes=limits.reply_bytes,
            remote=self._remote,
            rulebook=self._rulebook,
            means=self._means,
            count=self._count,
            count_lies=self._count_lies,
        )

    async def run(self) -> None:
        """Keeps going until it is cancelled; what it was at then, another one goes on with."""
        told = ""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                told = await self._look(told)
        finally:
            for task in [*self._busy.values()]:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def close(self) -> None:
        """Lets go of the store, as does the desk: nobody asks there any more."""
        self._store.close()
        self._desk.store.close()

    async def _look(self, told: str) -> str:
        """Why this look failed, empty when it did not; `told` is what the log has said last."""
        try:
            while len(self._busy) < _AT_ONCE and (stored := await self._claimed()):
                task = asyncio.create_task(self._work(stored))
                self._busy[stored.batch.id] = task
            await self._tidy()
        except TokonomiError as error:
            if str(error) != told:
                _log.warning("batches could not be looked at, they wait: %s", error)
            return str(error)
        return ""

    async def _claimed(self) -> StoredBatch | None:
        busy, worker = [*self._busy], self._worker
        return await self._store.run(
            lambda database: claim_batch(database, worker, now_us=now_us(), busy=busy)
        )

    async def _work(self, stored: StoredBatch) -> None:
        try:
            await self._supervised(stored)
        finally:
            del self._busy[stored.batch.id]

    async def _supervised(self, stored: StoredBatch) -> None:
        work = Work(stored, self._tools)
        try:
            wait = await work.through()
        except ClaimLost as lost:
            _log.warning("%s", lost)
            return
        except NotNow as error:
            wait = self._failed(work, str(error), error.wait_seconds)
        except TokonomiError as error:
            wait = self._failed(work, str(error))
        except Exception as error:  # noqa: BLE001 - the border of a task; logged below, once
            # A defect that one batch meets must not end the work on all others.
            _log.exception("the work on %s failed", stored.batch.id)
            wait = self._failed(work, f"a defect of Tokonomi ({type(error).__name__})")
        if work.progress.stage is not Stage.ENDED:
            await self._let_go(work, wait)
            return
        _log.info("%s is %s", work.batch.id, work.progress.outcome)
        self._metrics.batches[str(work.progress.outcome),] += 1

    def _failed(self, work: Work, why: str, asked_seconds: int | None = None) -> float:
        """Takes note of a step that failed; seconds to the next try."""
        self._metrics.batch_failures[work.batch.provider,] += 1
        if why != work.progress.failure:
            _log.warning("%s (%s): %s", work.batch.id, work.progress.stage.value, why)
        work.progress = failed_again(work.progress, why)
        pause = min(2 ** min(work.progress.failures, _DOUBLINGS), _LONGEST_PAUSE_SECONDS)
        return float(max(asked_seconds or 0, pause))

    async def _let_go(self, work: Work, wait_seconds: float) -> None:
        due_us = now_us() + int(wait_seconds * MICROSECONDS)
        progress, worker, batch_id = work.progress, self._worker, work.batch.id
        try:
            await self._store.run(
                lambda database: let_go(database, batch_id, progress, worker=worker, due_us=due_us)
            )
        except TokonomiError as error:
            # The claim stays ours, and is found again.
            _log.warning("%s could not be let go: %s", batch_id, error)

    async def _tidy(self) -> None:
        if time.monotonic() < self._tidied + _TIDY_SECONDS:
            return
        self._tidied = time.monotonic()
        before_us = now_us() - self._desk.settings.keep_days * DAY_SECONDS * MICROSECONDS
        await self._store.run(lambda database: _tidied(database, before_us))

    @property
    def _metrics(self) -> Metrics:
        return self._in_use.now.dispatcher.books.metrics

    def _remote(self, provider: str) -> Remote:
        client = self._in_use.now.snapshot.clients.get(provider)
        if client is None:
            raise NotNow(
                f"there is no [providers.{provider}] any more; put it back, so that its batches can"
                " end",
                may_have_arrived=False,
            )
        return Remote(client.upstream, client.provider.timeouts)

    def _rulebook(self, database: Database) -> Rulebook:
        self._rules.refresh(database)
        book = self._in_use.now.snapshot.book
        return Rulebook(self._rules.now, book, self._rules_of_requests.refused)

    def _means(self) -> Means:
        return Means(self._in_use.now.snapshot.book, self._desk.keys(), self._desk.body_bytes)

    def _count(self, settled: Sequence[SettledLine]) -> None:
        for each in settled:
            self._metrics.count(each.call, each.label)
            self._metrics.count_overruns(each.captured)

    def _count_lies(self, provider: str, lies: dict[Lie, int]) -> None:
        for lie, count in lies.items():
            if count:
                self._metrics.batch_lies[provider, lie.value] += count
                _log.error("%d lines of a batch's output at %s are %s", count, provider, lie.value)


def _tidied(database: Database, before_us: int) -> None:
    delete_expired(database, now_us=now_us())
    for batch_id in ended_before(database, before_us):
        void_lines(database, batch_id, at_us=now_us())
        forget_batch(database, batch_id)
