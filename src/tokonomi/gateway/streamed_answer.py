"""An answer that streams: relayed as it comes, its end held back until it is recorded."""

from dataclasses import dataclass, replace
from typing import Final

from tokonomi.gateway import failures
from tokonomi.gateway.answer import cost_comment, passed, request_headers
from tokonomi.gateway.carriage import Relayed
from tokonomi.gateway.failures import AttemptFailed, Failure, Passable
from tokonomi.gateway.joined_answer import JoinedAnswer
from tokonomi.gateway.provider_answer import ProviderAnswer, TooLarge, ending_of, noted
from tokonomi.gateway.upstream import Broken
from tokonomi.gateway.watch import Ended, Reason
from tokonomi.gateway.whole_answer import FILTERED
from tokonomi.gateway.wire_errors import WireError
from tokonomi.providers.whole_reply import FINE
from tokonomi.routing.failure import Failed, FailureKind

_TAIL_SECONDS: Final = 2.0
_MS_PER_SECOND: Final = 1_000


@dataclass(slots=True, kw_only=True)
class StreamedAnswer(ProviderAnswer):
    """See the module."""

    async def pass_on(self) -> Failure | None:
        """See `ProviderAnswer.pass_on`."""
        intent = self.exchange.intent
        headers = request_headers(intent.request_id, intent.model) + passed(self.reply.headers)
        relayed = self.carriage.relay(self.exchange, self.joined)
        self.delivery.begin(self.reply.status, headers)
        failure = await self._relay(relayed)
        if not self.watch.unattended:
            self._let_others(failure, relayed)
        await self._end(relayed, failure)
        return failure

    def _let_others(self, failure: Failure | None, relayed: Relayed) -> None:
        """Nothing, when the client has the whole answer, or a part that nobody takes up.

        Raises:
            AttemptFailed: another target may answer in place of this one, or go on.
        """
        if not self.delivery.committed:
            raise AttemptFailed(failure or self._without_content(relayed))
        if self.joined is None:
            return
        if failure is None and self._is_beside_the_point(self.joined):
            failure = self._unusable(self._empty_kind, b"")
        if failure is not None:
            raise AttemptFailed(failure, sent=self.joined.passed)

    def _is_beside_the_point(self, joined: JoinedAnswer) -> bool:
        """Whether an answer that should have begun anew said nothing; a continuation need not."""
        resumed = joined.resumes
        silent = not self.exchange.reading.seen.relayed.pieces
        return silent and resumed is not None and resumed.prefix is None

    async def _end(self, relayed: Relayed, failure: Failure | None) -> None:
        held, mark = b"", ""
        if self.joined is not None:
            held = self.joined.flush() if failure is None else b""
            mark = self.joined.mark
        ended = self.hand_over(noted(ending_of(failure, self.watch), mark))
        if relayed.stream.done:
            await self._read_tail()
        comment = cost_comment(ended.call)
        try:
            await self.books.until_kept(self.exchange, ended)
        except WireError as error:
            last = error.event(self.endpoint.ingress)
        else:
            if failure is None:
                last = held + relayed.end(self.exchange, comment)
            else:
                last = relayed.broken_off(failure.answer, comment)
        await self.delivery.end(last)

    async def _relay(self, relayed: Relayed) -> Failure | None:
        """What went wrong before the stream's proper end, if anything."""
        try:
            with self.watch:
                await self._pass_events(relayed)
        except Ended as end:
            return failures.stalled(self.exchange, end.reason)
        except Broken as error:
            given_up = isinstance(error, TooLarge)
            told = str(error) if given_up else ""
            return replace(failures.cut(self.exchange, str(error), told=told), given_up=given_up)
        stream = relayed.stream
        if stream.failed is not None:
            committed = self.delivery.committed
            of = failures.error_within if committed else failures.error_event
            return of(self.exchange, stream.failed, stream.error)
        if not stream.complete:
            return failures.cut(self.exchange, stream.cut_off, told=stream.cut_off)
        if self.joined is not None and (untold := self.joined.failure) is not None:
            return failures.cut(self.exchange, untold.code or untold.kind)
        return None

    async def _pass_events(self, relayed: Relayed) -> None:
        patience, stream = self.exchange.patience, relayed.stream
        pieces = self.exchange.reading.seen.relayed.pieces
        unread_bytes = 0
        self._limit_first_token()
        while not stream.done:
            if pieces or patience.first_token is None:
                self.watch.limit(patience.between_chunks, Reason.BETWEEN_CHUNKS)
            piece = await self.reply.piece()
            if not piece:
                return
            passing = stream.feed(piece)
            if self.exchange.first_token_ms is None and pieces:
                self.exchange.first_token_ms = self.exchange.elapsed_ms
            if self.watch.unattended or not pieces:
                unread_bytes += len(piece)
                self._bound(unread_bytes)
            if self.watch.unattended:
                continue
            if passing:
                await self.delivery.write(passing, content=bool(pieces))
            elif stream.unfinished_bytes > self.most_bytes:
                raise TooLarge(f"an event exceeds {self.most_bytes} bytes")

    def _bound(self, unread_bytes: int) -> None:
        """What is not passed on, not yet or not at all, is bounded here."""
        if unread_bytes > self.most_bytes:
            when = "without its client" if self.watch.unattended else "before any content"
            raise TooLarge(f"more than {self.most_bytes} bytes came {when}")

    def _limit_first_token(self) -> None:
        """The wait for the first content, from the dispatch, where the target limits it."""
        seconds = self.exchange.patience.first_token
        if seconds is not None:
            waited = self.exchange.elapsed_ms / _MS_PER_SECOND
            self.watch.limit(seconds - waited, Reason.FIRST_TOKEN)

    def _without_content(self, relayed: Relayed) -> Failure:
        """A stream that came to its end without any content."""
        body = self.delivery.kept_back + relayed.end(self.exchange, b"")
        return self._unusable(self._empty_kind, body)

    @property
    def _empty_kind(self) -> FailureKind:
        filtered = self.exchange.reading.seen.finish_reason == FILTERED
        return FailureKind.CONTENT_FILTER if filtered else FailureKind.EMPTY_ANSWER

    def _unusable(self, kind: FailureKind, body: bytes) -> Failure:
        exchange = self.exchange
        passable = Passable(exchange.http_status, passed(self.reply.headers), body)
        failed = Failed(kind, status=exchange.http_status)
        return failures.unusable(exchange, failed, FINE, passable)

    async def _read_tail(self) -> None:
        """Reads on to the end of the body, so that the connection can be used again."""
        self.watch.limit(_TAIL_SECONDS, Reason.BETWEEN_CHUNKS)
        try:
            with self.watch:
                while await self.reply.piece():
                    pass
        except (Ended, Broken):
            # The answer is complete; only the connection is lost.
            return
