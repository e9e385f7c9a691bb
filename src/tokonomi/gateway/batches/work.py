"""The work on one batch, from stage to stage, by a process that has claimed it.

Each stage ends with one write, and each begins from what is written: a process that dies between
any two of them is followed by one that goes on from there.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from tokonomi.batches.answers import Lie
from tokonomi.batches.batch import (
    Batch,
    BatchError,
    Outcome,
    Progress,
    RemoteBatch,
    Stage,
    ended,
    given_up,
    may_have_strays,
    running,
    seen,
    void,
)
from tokonomi.batches.line import LineSplitter
from tokonomi.gateway.batches.desk import MICROSECONDS, now_us, seconds_of
from tokonomi.gateway.batches.holding import FileGone, Lines, Rulebook, outgoing_bytes
from tokonomi.gateway.batches.remote import NotNow, Refused, Remote, Upload
from tokonomi.gateway.batches.settlement import Means, SettledLine, Settlement
from tokonomi.gateway.config import Batches
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.storage.batch_holds import void_lines
from tokonomi.storage.batch_store import (
    StoredBatch,
    end_batch,
    is_cancelling,
    save_progress,
)
from tokonomi.storage.database import Database

_log: Final = logging.getLogger("tokonomi.batches")
_LINES_AT_ONCE: Final = 100
_BYTES_AT_ONCE: Final = 1024 * 1024
_SKEW_SECONDS: Final = 3_600
"""How far a provider's clock may be from ours."""
_DOUBT_LOOK_SECONDS: Final = 5.0
_GONE: Final = 404


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work on batches needs.

    Attributes:
        store: where they are.
        worker: this process, as the store knows it.
        settings: how they are looked after.
        body_bytes: the largest body of a line.
        reply_bytes: the largest line of output.
        remote: the provider with a section of this name.
        rulebook: what lines must pass now.
        means: what settling needs now.
        count: takes note of lines that were settled just now.
        count_lies: takes note of lines of output that count as none.
    """

    store: StoreTurns
    worker: int
    settings: Batches
    body_bytes: int
    reply_bytes: int
    remote: Callable[[str], Remote]
    rulebook: Callable[[Database], Rulebook]
    means: Callable[[], Means]
    count: Callable[[Sequence[SettledLine]], None]
    count_lies: Callable[[str, "dict[Lie, int]"], None]


class Work:
    """One batch while this process works on it. `progress` is what was last written of it."""

    def __init__(self, stored: StoredBatch, tools: Tools) -> None:
        self.batch: Batch = stored.batch
        self.progress: Progress = stored.progress
        self._tools = tools

    async def through(self) -> float:
        """Goes on as far as can be; in how many seconds there is something to do again.

        Raises:
            NotNow: the provider does not do what comes next; it is to be tried again.
            StoreError: the store does not; `ClaimLost` where another process goes on.
        """
        steps: Mapping[Stage, Callable[[], Awaitable[float | None]]] = {
            Stage.HOLDING: self._hold,
            Stage.VOIDING: self._void,
            Stage.UPLOADING: self._upload,
            Stage.CREATING: self._create,
            Stage.RUNNING: self._watch,
            Stage.SETTLING: self._settle,
        }
        while step := steps.get(self.progress.stage):
            if wait := await step():
                return wait
        return 0.0

    async def _to(self, progress: Progress) -> None:
        """Writes how far it has come, while the claim stands; a new stage has not failed yet."""
        if progress.stage is not self.progress.stage:
            progress = replace(progress, failures=0, failure="")
        batch_id, worker = self.batch.id, self._tools.worker
        await self._tools.store.run(
            lambda database: save_progress(database, batch_id, progress, worker=worker)
        )
        self.progress = progress

    async def _leaves(self) -> bool:
        """Whether it may leave: nobody has cancelled it, and its time is not over."""
        outcome: Outcome | None = None
        if await self._cancelling():
            outcome = "cancelled"
        elif now_us() >= self.batch.expires_us:
            outcome = "expired"
        if outcome is not None:
            await self._to(void(self.progress, outcome))
        return outcome is None

    async def _cancelling(self) -> bool:
        batch_id, worker = self.batch.id, self._tools.worker
        return await self._tools.store.run(
            lambda database: is_cancelling(database, batch_id, worker=worker)
        )

    def _lines(self) -> Lines:
        means = self._tools.means()
        return Lines(self.batch, means.keys, means.body_bytes)

    async def _hold(self) -> None:
        """All lines hold what they may cost, or none: half a batch helps nobody."""
        if not await self._leaves():
            return
        lines, tools, held = self._lines(), self._tools, self.progress.held_lines
        try:
            found = await tools.store.run(
                lambda database: lines.hold_after(database, held, tools.rulebook(database))
            )
        except FileGone:
            found = BatchError("file_not_found", f"The file {self.batch.input_file} is gone.")
        if isinstance(found, BatchError):
            await self._to(void(self.progress, "failed", found))
        elif found is None:
            await self._to(replace(self.progress, stage=Stage.UPLOADING))
        else:
            await self._to(replace(self.progress, held_lines=found))

    async def _void(self) -> None:
        batch_id, worker = self.batch.id, self._tools.worker

        def give_back(database: Database) -> Progress:
            void_lines(database, batch_id, at_us=now_us())
            done = ended(self.progress, now_us=now_us())
            end_batch(database, batch_id, done, (), worker=worker)
            return done

        await self._delete_inputs()
        self.progress = await self._tools.store.run(give_back)
        await self._tidy()

    async def _upload(self) -> None:
        if not await self._leaves():
            return
        remote = self._tools.remote(self.batch.provider)
        lines, store = self._lines(), self._tools.store
        try:
            # Twice: its length is said before its first byte, and it is never held whole.
            length = sum([len(piece) async for piece in outgoing_bytes(lines, store)])
            pieces = outgoing_bytes(lines, store)
            await self._to(replace(self.progress, uploads=self.progress.uploads + 1))
            file = await remote.upload(Upload(self._remote_name, length, pieces))
        except Refused as refused:
            await self._to(void(self.progress, "failed", _error(refused)))
        except FileGone:
            error = BatchError("file_not_found", f"The file {self.batch.input_file} is gone.")
            await self._to(void(self.progress, "failed", error))
        else:
            await self._to(replace(self.progress, stage=Stage.CREATING, remote_file=file))

    @property
    def _remote_name(self) -> str:
        """What the input is called at the provider."""
        return f"{self.batch.id}.jsonl"

    async def _create(self) -> float:
        """Has the provider begin, once.

        It is written that it was asked before it is asked. So after a death, or an answer that
        nobody got, there is doubt, and the provider's own list decides it.
        """
        remote = self._tools.remote(self.batch.provider)
        if self.progress.sent_us is not None:
            if wait := await self._resolve_doubt(remote, self.progress.sent_us):
                return wait
            if self.progress.stage is not Stage.CREATING:
                return 0.0
        if not await self._leaves():
            return 0.0
        await self._to(replace(self.progress, sent_us=now_us()))
        try:
            begun = await remote.create(
                self.progress.remote_file, self.batch.endpoint, self.batch.id
            )
        except Refused as refused:
            await self._to(void(replace(self.progress, sent_us=None), "failed", _error(refused)))
        except NotNow as error:
            if not error.may_have_arrived:
                await self._to(replace(self.progress, sent_us=None))
            raise
        else:
            await self._to(running(self.progress, begun, now_us=now_us()))
        return 0.0

    async def _resolve_doubt(self, remote: Remote, sent_us: int) -> float:
        """Seconds to look again, while it is not known whether the provider has begun."""
        since = (seconds_of(sent_us) or 0) - _SKEW_SECONDS
        try:
            found = await remote.find(self.batch.id, since=since)
        except Refused as refused:
            why = f"Whether the provider has begun is not known: its list cannot be read: {refused}"
            await self._to(given_up(self.progress, now_us=now_us(), why=why))
            return 0.0
        except NotNow:
            if now_us() < self.batch.given_up_us:
                raise
            why = "Whether the provider has begun is not known: it did not answer for a day."
            await self._to(given_up(self.progress, now_us=now_us(), why=why))
            return 0.0
        if found is not None:
            await self._to(running(self.progress, found, now_us=now_us()))
            return 0.0
        doubt = self._tools.settings.doubt_seconds
        left = doubt - (now_us() - sent_us) / MICROSECONDS
        if left > 0:
            return min(left, _DOUBT_LOOK_SECONDS)
        await self._to(replace(self.progress, sent_us=None))
        return 0.0

    async def _watch(self) -> float:
        """Asks how far it is; seconds to ask again."""
        remote = self._tools.remote(self.batch.provider)
        try:
            if not self.progress.cancel_sent and await self._cancelling():
                await self._cancel(remote)
            told = await self._told(remote)
        except NotNow:
            if now_us() < self.batch.given_up_us:
                raise
            why = "The provider has not said for a day after its time what became of the batch."
            await self._to(given_up(self.progress, now_us=now_us(), why=why))
            return 0.0
        progress = seen(self.progress, self.batch, told, now_us=now_us())
        if progress.stage is Stage.RUNNING and now_us() >= self.batch.given_up_us:
            why = "The provider had not ended the batch a day after its time."
            progress = given_up(progress, now_us=now_us(), why=why)
        await self._to(progress)
        return self._tools.settings.poll_seconds if progress.stage is Stage.RUNNING else 0.0

    async def _told(self, remote: Remote) -> RemoteBatch:
        try:
            return await remote.retrieve(self.progress.remote_batch)
        except Refused as refused:
            # It knew the batch once, so it may know it again.
            raise NotNow(f"it does not tell of the batch: {refused}") from None

    async def _cancel(self, remote: Remote) -> None:
        try:
            await remote.cancel(self.progress.remote_batch)
        except Refused as refused:
            # It has ended already, and says so next.
            _log.info("%s could not be cancelled at its provider: %s", self.batch.id, refused)
        await self._to(replace(self.progress, cancel_sent=True))

    async def _settle(self) -> None:
        """Settles every line, and writes what came of it: all of it, whenever it begins."""
        settlement = Settlement(self.batch, self.progress, self._tools.means())
        left = self._tools.settings.output_bytes
        for file in (self.progress.remote_output, self.progress.remote_error):
            if file:
                left = await self._take(settlement, file, left)
        after: int | None = 0
        while after is not None:
            after = await self._take_missing(settlement, after)
        await self._delete_inputs()
        await self._end(settlement)
        await self._tidy()

    async def _take(self, settlement: Settlement, file: str, left: int) -> int:
        """Reads a file of results; how many bytes may still be read of others."""
        splitter = LineSplitter(longest=self._tools.reply_bytes)
        gathered: list[bytes | None] = []
        size = 0
        try:
            async for piece in self._tools.remote(self.batch.provider).content(file):
                left -= len(piece)
                size += len(piece)
                gathered += [text for _, text in splitter.feed(piece)]
                if len(gathered) >= _LINES_AT_ONCE or size >= _BYTES_AT_ONCE:
                    await self._take_some(settlement, gathered)
                    gathered, size = [], 0
                if left < 0:
                    _log.error("the results of %s are too large, the rest is left", self.batch.id)
                    settlement.is_cut_short = True
                    break
            else:
                gathered += [text for _, text in splitter.rest()]
        except (NotNow, Refused) as error:
            if now_us() < self.batch.given_up_us:
                raise NotNow(f"its results cannot be read: {error}") from None
            settlement.is_cut_short = True
        await self._take_some(settlement, gathered)
        return left

    async def _take_some(self, settlement: Settlement, texts: list[bytes | None]) -> None:
        for first in range(0, len(texts), _LINES_AT_ONCE):
            some = texts[first : first + _LINES_AT_ONCE]
            self._tools.count(await self._tools.store.run(_taking(settlement, some)))

    async def _take_missing(self, settlement: Settlement, after: int) -> int | None:
        following, settled = await self._tools.store.run(
            lambda database: settlement.take_missing(database, after)
        )
        self._tools.count(settled)
        return following

    async def _end(self, settlement: Settlement) -> None:
        batch_id, worker = self.batch.id, self._tools.worker

        def end(database: Database) -> Progress:
            files, output, errors = settlement.results(database)
            done = replace(
                ended(self.progress, now_us=now_us()),
                completed=settlement.completed,
                failed=settlement.failed,
                output_file=output,
                error_file=errors,
            )
            end_batch(database, batch_id, done, files, worker=worker)
            return done

        self.progress = await self._tools.store.run(end)
        self._tools.count_lies(self.batch.provider, settlement.lies)

    async def _tidy(self) -> None:
        """The provider's copies of the answers go, as far as it deletes them."""
        for file in (self.progress.remote_output, self.progress.remote_error):
            if file:
                await self._delete(file)

    async def _delete_inputs(self) -> None:
        """The provider's copies of the prompts go, which nobody needs any more.

        This comes before the batch has ended, so that a death here leaves it to whoever goes on. A
        provider that does not do it now is not asked again, since the client is waiting.
        """
        if self.progress.remote_file:
            await self._delete(self.progress.remote_file)
        if may_have_strays(self.progress):
            await self._delete_strays()

    async def _delete_strays(self) -> None:
        """Copies go whose ids were lost, by a death or with an answer that nobody got.

        They bear our name.
        """
        since = (seconds_of(self.batch.created_us) or 0) - _SKEW_SECONDS
        provider, name = self.batch.provider, self._remote_name
        try:
            files = await self._tools.remote(provider).files_named(name, since=since)
        except (NotNow, Refused) as error:
            _log.warning(
                "%s may have several files named %s, which could not be looked for: %s."
                " Delete them there",
                provider,
                name,
                error,
            )
            return
        for file in files:
            if file != self.progress.remote_file:
                await self._delete(file)

    async def _delete(self, file: str) -> None:
        try:
            await self._tools.remote(self.batch.provider).delete(file)
        except (NotNow, Refused) as error:
            if isinstance(error, Refused) and error.status == _GONE:
                return
            _log.warning(
                "file %s of %s could not be deleted at %s: %s",
                file,
                self.batch.id,
                self.batch.provider,
                error,
            )


def _taking(
    settlement: Settlement, texts: list[bytes | None]
) -> Callable[[Database], list[SettledLine]]:
    return lambda database: settlement.take(database, texts)


def _error(refused: Refused) -> BatchError:
    what = f": {refused.message}" if refused.message else ""
    return BatchError(
        refused.code, f"The provider has refused the batch with HTTP {refused.status}{what}"
    )
