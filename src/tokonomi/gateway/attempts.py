"""One attempt at one target: sent, its answer read as it comes, and passed on or given up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tokonomi.gateway import failures
from tokonomi.gateway.answer import (
    HeaderList,
    cost_comment,
    cost_headers,
    passed,
    request_headers,
)
from tokonomi.gateway.bookkeeping import Bookkeeper
from tokonomi.gateway.delivery import Delivery
from tokonomi.gateway.disconnect import drained, not_drained
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.failures import AttemptFailed, Failure, Passable
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.stream import StreamRelay
from tokonomi.gateway.upstream import Broken, Reply, Unreachable, Upstream
from tokonomi.gateway.watch import Ended, Reason, Watch
from tokonomi.gateway.wire_errors import WireError
from tokonomi.providers.settled_call import Ending
from tokonomi.providers.whole_reply import FINE, observe_whole
from tokonomi.routing.failure import Failed, FailureKind
from tokonomi.routing.reply import classify

_OK: Final = range(200, 300)
_ERRORS: Final = range(400, 600)
_TAIL_SECONDS: Final = 2.0
_FILTERED: Final = "content_filter"
_EVENT_STREAM: Final = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How attempts are made: over which connections, and how much of a reply is read."""

    books: Bookkeeper
    upstreams: Mapping[str, Upstream]
    reply_bytes: int

    async def make(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        watch: Watch,
        delivery: Delivery,
        *,
        body: bytes,
    ) -> None:
        """Answers the client from this target; when it returns, the attempt has its row.

        Raises:
            AttemptFailed: it did not answer, and nothing has gone to the client. No row yet.
            WireError: its answer could not be recorded, so it is withheld.
        """
        reply = await self._ask(endpoint, exchange, watch, body)
        try:
            if reply.status in _OK and _is_event_stream(reply):
                await self._relay(exchange, reply, watch, delivery)
            else:
                await self._pass_whole(endpoint, exchange, reply, watch, delivery=delivery)
        finally:
            reply.close()

    async def _ask(
        self, endpoint: Endpoint, exchange: Exchange, watch: Watch, body: bytes
    ) -> Reply:
        target = exchange.target
        limits = exchange.patience
        watch.limit(limits.first_byte, Reason.FIRST_BYTE)
        try:
            with watch:
                upstream = self.upstreams[target.name]
                reply = await upstream.post(
                    endpoint.path, body, connect_seconds=limits.connect, fields=exchange.sent_along
                )
        except Ended as end:
            raise AttemptFailed(failures.ended(exchange, end.reason)) from None
        except Unreachable as error:
            raise AttemptFailed(failures.unreachable(exchange, error)) from None
        except Broken as error:
            kind = FailureKind.CONNECTION_LOST
            raise AttemptFailed(failures.broken(exchange, str(error), kind)) from None
        exchange.http_status = reply.status
        return reply

    async def _pass_whole(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        reply: Reply,
        watch: Watch,
        *,
        delivery: Delivery,
    ) -> None:
        body = await self._read_whole(exchange, reply, watch)
        passable = Passable(reply.status, passed(reply.headers), body)
        if reply.status in _ERRORS:
            failed = classify(reply.status, reply.headers, body)
            assert failed is not None, "the status is that of an error"
            raise AttemptFailed(failures.refused(exchange, failed, passable))
        if reply.status not in _OK:
            why = f"unexpected HTTP {reply.status}"
            raise AttemptFailed(failures.broken(exchange, why, FailureKind.MALFORMED_BODY))
        ending = observe_whole(exchange.reading, body, http_status=reply.status, bulk=endpoint.bulk)
        if not watch.unattended and _doubtful(endpoint, exchange, ending):
            failed = classify(reply.status, reply.headers, body)
            if failed is not None:
                raise AttemptFailed(failures.unusable(exchange, failed, ending, passable))
        ending = drained(ending) if watch.unattended else ending
        await self.deliver(exchange, ending, passable, delivery)

    async def deliver(
        self, exchange: Exchange, ending: Ending, passable: Passable, delivery: Delivery
    ) -> None:
        """Records an attempt that ended with a whole answer, then gives the answer out."""
        alone = self.books.metrics.in_flight == 1
        ended = self.books.hand_over(exchange, ending, alone=alone)
        headers = cost_headers(ended.call) + passable.headers
        await self.books.until_kept(exchange, ended)
        await delivery.whole(passable.status, headers, passable.body)

    async def _read_whole(self, exchange: Exchange, reply: Reply, watch: Watch) -> bytes:
        pause = exchange.patience.between_chunks
        try:
            with watch:
                return await _whole(reply, watch, pause_seconds=pause, limit=self.reply_bytes)
        except Ended as end:
            raise AttemptFailed(failures.ended(exchange, end.reason)) from None
        except Broken as error:
            too_large = isinstance(error, _TooLarge)
            kind = FailureKind.MALFORMED_BODY if too_large else FailureKind.CONNECTION_LOST
            failure = failures.broken(exchange, str(error), kind)
            raise AttemptFailed(replace(failure, given_up=too_large)) from None

    async def _relay(
        self, exchange: Exchange, reply: Reply, watch: Watch, delivery: Delivery
    ) -> None:
        intent = exchange.intent
        headers = request_headers(intent.request_id, intent.model) + passed(reply.headers)
        relay = StreamRelay(exchange.reading, wants_usage=exchange.request.wants_usage)
        delivery.begin(reply.status, headers)
        failure = await self._relay_events(exchange, reply, relay, watch, delivery=delivery)
        if not delivery.committed and not watch.unattended:
            empty = _without_content(exchange, relay, delivery, passed(reply.headers))
            raise AttemptFailed(failure or empty)
        alone = self.books.metrics.in_flight == 1
        ended = self.books.hand_over(exchange, ending_of(failure, watch), alone=alone)
        if relay.done:
            await _read_tail(reply, watch)
        try:
            await self.books.until_kept(exchange, ended)
        except WireError as error:
            last = error.event()
        else:
            broken_off = failure.answer.event() if failure and not relay.error else b""
            last = relay.ending(broken_off + cost_comment(ended.call))
        await delivery.end(last)

    async def _relay_events(
        self,
        exchange: Exchange,
        reply: Reply,
        relay: StreamRelay,
        watch: Watch,
        *,
        delivery: Delivery,
    ) -> Failure | None:
        """What went wrong before the stream's proper end, if anything."""
        try:
            with watch:
                await self._pass_events(exchange, reply, relay, watch, delivery=delivery)
        except Ended as end:
            return failures.stalled(exchange, end.reason)
        except Broken as error:
            given_up = isinstance(error, _TooLarge)
            return replace(failures.cut(exchange, str(error)), given_up=given_up)
        if relay.complete:
            return None
        return failures.cut(exchange, relay.error or "it ended without [DONE]")

    async def _pass_events(
        self,
        exchange: Exchange,
        reply: Reply,
        relay: StreamRelay,
        watch: Watch,
        *,
        delivery: Delivery,
    ) -> None:
        pause = exchange.patience.between_chunks
        pieces = exchange.reading.seen.relayed.pieces
        unread_bytes = 0
        self._limit_first_token(exchange, watch)
        while not relay.done:
            if pieces or exchange.patience.first_token is None:
                watch.limit(pause, Reason.BETWEEN_CHUNKS)
            piece = await reply.piece()
            if not piece:
                return
            passing = relay.feed(piece)
            if exchange.first_token_ms is None and pieces:
                exchange.first_token_ms = exchange.elapsed_ms
            if watch.unattended or not pieces:
                # Nothing of this is passed on yet, or ever, so it is bounded here.
                unread_bytes += len(piece)
                if unread_bytes > self.reply_bytes:
                    when = "without its client" if watch.unattended else "before any content"
                    raise _TooLarge(f"more than {self.reply_bytes} bytes came {when}")
            if watch.unattended:
                continue
            if passing:
                await delivery.write(passing, content=bool(pieces))
            elif relay.unfinished_bytes > self.reply_bytes:
                raise _TooLarge(f"an event exceeds {self.reply_bytes} bytes")

    def _limit_first_token(self, exchange: Exchange, watch: Watch) -> None:
        """The wait for the first content, from the dispatch, where the target limits it."""
        seconds = exchange.patience.first_token
        if seconds is not None:
            watch.limit(seconds - exchange.elapsed_ms / 1_000, Reason.FIRST_TOKEN)


def _doubtful(endpoint: Endpoint, exchange: Exchange, ending: Ending) -> bool:
    """Whether an answer with a status of success may be none; nearly all plainly are one."""
    seen = exchange.reading.seen
    plain = bool(seen.relayed.pieces) and seen.finish_reason != _FILTERED
    return ending is not FINE or (endpoint.answers and not plain)


def _without_content(
    exchange: Exchange, relay: StreamRelay, delivery: Delivery, headers: HeaderList
) -> Failure:
    """A stream that came to its end without any content."""
    filtered = exchange.reading.seen.finish_reason == _FILTERED
    kind = FailureKind.CONTENT_FILTER if filtered else FailureKind.EMPTY_ANSWER
    body = delivery.kept_back + relay.ending(b"")
    passable = Passable(exchange.http_status, headers, body)
    failed = Failed(kind, status=exchange.http_status)
    return failures.unusable(exchange, failed, FINE, passable)


async def _whole(reply: Reply, watch: Watch, *, pause_seconds: float, limit: int) -> bytes:
    pieces: list[bytes] = []
    left = limit
    while True:
        watch.limit(pause_seconds, Reason.BETWEEN_CHUNKS)
        piece = await reply.piece()
        if not piece:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        left -= len(piece)
        if left < 0:
            raise _TooLarge(f"the answer is larger than {limit} bytes")
        pieces.append(piece)


class _TooLarge(Broken):
    """The answer is larger than we take; the provider writes on."""


def ending_of(failure: Failure | None, watch: Watch) -> Ending:
    """What the row says of an attempt that failed, or did not."""
    if not watch.unattended:
        return failure.ending if failure else FINE
    if failure is None:
        return drained(FINE)
    return not_drained(failure.ending, given_up=failure.given_up)


async def _read_tail(reply: Reply, watch: Watch) -> None:
    """Reads on to the end of the body, so that the connection can be used again."""
    watch.limit(_TAIL_SECONDS, Reason.BETWEEN_CHUNKS)
    try:
        with watch:
            while await reply.piece():
                pass
    except (Ended, Broken):
        # The answer is complete; only the connection is lost.
        return


def _is_event_stream(reply: Reply) -> bool:
    return any(
        name == b"content-type" and value.lower().startswith(_EVENT_STREAM)
        for name, value in reply.headers
    )
