"""One request on its way: recorded before it leaves, relayed, recorded again before it ends."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from tokonomi.budgets.hold_size import Refused
from tokonomi.calls import Call, Status
from tokonomi.errors import StoreError
from tokonomi.gateway import failures
from tokonomi.gateway.alarms import UnknownKeys
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.answer import (
    HeaderList,
    Receive,
    Send,
    cost_comment,
    cost_headers,
    passed,
    request_headers,
    send_body,
)
from tokonomi.gateway.claims import allowance
from tokonomi.gateway.disconnect import drained, not_drained, policy_of
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.failures import CallFailed, Failure
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.refusals import refused_by_balance, refused_by_rule
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.settle import Ending, Exchange, joined, row_of
from tokonomi.gateway.stream import DONE_EVENT, StreamRelay
from tokonomi.gateway.upstream import Broken, Reply, Unreachable, Upstream
from tokonomi.gateway.watch import Ended, Reason, Watch
from tokonomi.gateway.whole_reply import FINE, observe_whole
from tokonomi.gateway.wire_errors import WireError, store_unavailable
from tokonomi.ledger.hold import Captured, Held, Refusal
from tokonomi.pricing.book import PriceBook
from tokonomi.storage.call_groups import Outcome
from tokonomi.storage.database import OutcomeUnknown
from tokonomi.storage.recorder import Recorder
from tokonomi.usage import Source, Usage

_OK: Final = range(200, 300)
_ERRORS: Final = range(400, 600)
_TAIL_SECONDS: Final = 2.0
_WITHHELD: Final = "the answer was withheld, because the store did not take its row in time"
_EVENT_STREAM: Final = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """What every request needs on its way out and back."""

    recorder: Recorder
    book: PriceBook
    rules: RulesInForce
    upstreams: Mapping[str, Upstream]
    metrics: Metrics
    reply_bytes: int
    unknown_keys: UnknownKeys

    async def run(
        self, endpoint: Endpoint, exchange: Exchange, watch: Watch, *, send: Send, receive: Receive
    ) -> None:
        """Answers one request; when this returns or raises, the call has its row.

        Raises:
            WireError: nothing was sent to the client yet, and this is to be its answer.
        """
        allowed = allowance(self.rules.now, exchange, self.book, answers=endpoint.answers)
        if isinstance(allowed, Refused):
            raise refused_by_rule(allowed)
        exchange.intent = replace(exchange.intent, worst_case=allowed.worst_case)
        begun = self.recorder.begin(
            exchange.intent, allowed.claims, alone=self.metrics.in_flight == 1
        )
        beginning = asyncio.ensure_future(begun)
        body = exchange.request.body_for(exchange.intent.model, max_tokens=allowed.send_max_tokens)
        exchange.held = await self._begun(exchange, allowed, beginning)
        exchange.allowance = allowed
        exchange.begun_ns = time.monotonic_ns()
        watch.limit_total(exchange.target.provider.timeouts.total)
        watch.listen(receive, goes_on=policy_of(exchange) == "drain")
        try:
            await self._answer(endpoint, exchange, watch, body=body, send=send)
        except CallFailed as failed:
            await self._keep(exchange, _ending(failed.failure, watch))
            raise failed.failure.answer from None
        finally:
            if not exchange.settled:
                # The gateway is being stopped, or has a defect. Either way the call has ended.
                ended = self._hand_over(
                    exchange, Ending(Status.CUT, note="the gateway stopped", may_bill=True)
                )
                asyncio.ensure_future(ended.kept).add_done_callback(_retrieve)

    async def _begun(
        self, exchange: Exchange, allowed: Allowance, beginning: asyncio.Future[Outcome]
    ) -> tuple[Held, ...]:
        """The holds of a call that may leave."""
        try:
            outcome = await asyncio.shield(beginning)
        except StoreError as error:
            if isinstance(error, OutcomeUnknown):
                self._never_left(exchange, "the store was lost before the call was sent")
            raise store_unavailable(f"The call was not sent, because {error}") from None
        except asyncio.CancelledError:
            stopped = "the gateway stopped before the call was sent"
            beginning.add_done_callback(lambda _: self._never_left(exchange, stopped))
            raise
        if isinstance(outcome, Refusal):
            claim = next(it for it in allowed.claims if it.source == outcome.source)
            if isinstance(claim.on, str):
                self.rules.refused(claim.on)
            raise refused_by_balance(outcome, claim)
        return outcome

    def _never_left(self, exchange: Exchange, why: str) -> None:
        """Nobody waits for this call any more: what it may hold must not stay held."""
        exchange.begun_ns = time.monotonic_ns()
        call, _ = row_of(exchange, Ending(Status.FAILED, unknown=why), self.book)
        exchange.settled = True
        self.metrics.count(call, exchange.target.label)
        self._owe(call)

    async def _answer(
        self, endpoint: Endpoint, exchange: Exchange, watch: Watch, *, body: bytes, send: Send
    ) -> None:
        reply = await self._ask(endpoint, exchange, watch, body)
        try:
            if reply.status in _OK and _is_event_stream(reply):
                await self._relay(exchange, reply, watch, send)
            else:
                await self._pass_whole(endpoint, exchange, reply, watch, send=send)
        finally:
            reply.close()

    async def _ask(
        self, endpoint: Endpoint, exchange: Exchange, watch: Watch, body: bytes
    ) -> Reply:
        watch.limit(exchange.target.provider.timeouts.first_byte, Reason.FIRST_BYTE)
        try:
            with watch:
                reply = await self.upstreams[exchange.target.name].post(endpoint.path, body)
        except Ended as end:
            raise CallFailed(failures.ended(exchange, end.reason)) from None
        except Unreachable as error:
            raise CallFailed(failures.unreachable(exchange, str(error))) from None
        except Broken as error:
            raise CallFailed(failures.broken(exchange, str(error))) from None
        exchange.http_status = reply.status
        return reply

    async def _pass_whole(
        self, endpoint: Endpoint, exchange: Exchange, reply: Reply, watch: Watch, *, send: Send
    ) -> None:
        body = await self._read_whole(exchange, reply, watch)
        if reply.status in _OK:
            ending = observe_whole(endpoint, exchange, body)
        elif reply.status in _ERRORS:
            ending = failures.refused(reply.status)
        else:
            raise CallFailed(failures.broken(exchange, f"unexpected HTTP {reply.status}"))
        ended = self._hand_over(exchange, drained(ending) if watch.unattended else ending)
        headers = cost_headers(ended.call) + passed(reply.headers)
        await self._until_kept(exchange, ended)
        await send_body(send, reply.status, headers, body)

    async def _read_whole(self, exchange: Exchange, reply: Reply, watch: Watch) -> bytes:
        pause = exchange.target.provider.timeouts.between_chunks
        try:
            with watch:
                return await _whole(reply, watch, pause_seconds=pause, limit=self.reply_bytes)
        except Ended as end:
            raise CallFailed(failures.ended(exchange, end.reason)) from None
        except Broken as error:
            too_large = isinstance(error, _TooLarge)
            failure = failures.broken(exchange, str(error), given_up=too_large)
            raise CallFailed(failure) from None

    async def _relay(self, exchange: Exchange, reply: Reply, watch: Watch, send: Send) -> None:
        intent = exchange.intent
        headers: HeaderList = request_headers(intent.request_id, intent.model)
        headers += passed(reply.headers)
        relay = StreamRelay(exchange.reading, wants_usage=exchange.request.wants_usage)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        failure = await self._relay_events(exchange, reply, relay, watch, send=send)
        ended = self._hand_over(exchange, _ending(failure, watch))
        if relay.done:
            await _read_tail(reply, watch)
        try:
            await self._until_kept(exchange, ended)
        except WireError as error:
            last = error.event()
        else:
            last = relay.held + (failure.answer.event() if failure and not relay.error else b"")
            last += cost_comment(ended.call) + (DONE_EVENT if relay.done else b"")
        await send({"type": "http.response.body", "body": last})

    async def _relay_events(
        self, exchange: Exchange, reply: Reply, relay: StreamRelay, watch: Watch, *, send: Send
    ) -> Failure | None:
        """What went wrong before the stream's proper end, if anything."""
        try:
            with watch:
                await self._pass_events(exchange, reply, relay, watch, send=send)
        except Ended as end:
            return failures.stalled(exchange, end.reason)
        except Broken as error:
            return failures.cut(exchange, str(error), given_up=isinstance(error, _TooLarge))
        if relay.complete:
            return None
        return failures.cut(exchange, relay.error or "it ended without [DONE]")

    async def _pass_events(
        self, exchange: Exchange, reply: Reply, relay: StreamRelay, watch: Watch, *, send: Send
    ) -> None:
        pause = exchange.target.provider.timeouts.between_chunks
        pieces = exchange.reading.seen.relayed.pieces
        unattended_bytes = 0
        while not relay.done:
            watch.limit(pause, Reason.BETWEEN_CHUNKS)
            piece = await reply.piece()
            if not piece:
                return
            passing = relay.feed(piece)
            if exchange.first_token_ms is None and pieces:
                exchange.first_token_ms = exchange.elapsed_ms
            if watch.unattended:
                unattended_bytes += len(piece)
                if unattended_bytes > self.reply_bytes:
                    raise _TooLarge(f"more than {self.reply_bytes} bytes came without its client")
            elif passing:
                await send({"type": "http.response.body", "body": passing, "more_body": True})
            elif relay.unfinished_bytes > self.reply_bytes:
                raise _TooLarge(f"an event exceeds {self.reply_bytes} bytes")

    async def _keep(self, exchange: Exchange, ending: Ending) -> None:
        await self._until_kept(exchange, self._hand_over(exchange, ending))

    def _hand_over(self, exchange: Exchange, ending: Ending) -> "_HandedOver":
        """The call's row, on its way to the store."""
        call, captured = row_of(exchange, ending, self.book)
        exchange.settled = True
        kept = self.recorder.settle(call, captured or None, alone=self.metrics.in_flight == 1)
        self.metrics.count(call, exchange.target.label)
        self.metrics.count_overruns(captured)
        self.unknown_keys.note(call)
        return _HandedOver(call, captured, kept)

    async def _until_kept(self, exchange: Exchange, ended: "_HandedOver") -> None:
        try:
            await ended.kept
        except StoreError as error:
            self.metrics.unsettled += 1
            if exchange.first_token_ms is None:
                self._owe_withheld(exchange, ended.call)
            else:
                # A stream's content has gone to its client before its row was to be written.
                self._owe(ended.call, ended.captured)
            raise store_unavailable(
                f"The provider has answered and may bill the call, but it could not be recorded,"
                f" so the answer is withheld: {error}"
            ) from None

    def _owe_withheld(self, exchange: Exchange, call: Call) -> None:
        """The provider bills an answer that its client never got; customers do not pay for it."""
        nothing = Usage(at=exchange.intent.at, requests=0, source=Source.ABSENT)
        captured = exchange.allowance.captured(exchange.held, call, nothing)
        self._owe(replace(call, note=joined(call.note, _WITHHELD)), captured)

    def _owe(self, call: Call, captured: tuple[Captured, ...] = ()) -> None:
        """The row is written when the store takes it again, whenever that is; nobody waits."""
        kept = self.recorder.settle(call, captured or None, however_long=True)
        asyncio.ensure_future(kept).add_done_callback(_retrieve)


class _HandedOver(NamedTuple):
    """The row of a call, how its holds are resolved, and the future of both being durable."""

    call: Call
    captured: tuple[Captured, ...]
    kept: Awaitable[Outcome]


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


def _ending(failure: Failure | None, watch: Watch) -> Ending:
    """What the row says of a call that failed, or did not."""
    if not watch.unattended:
        return failure.ending if failure else FINE
    if failure is None:
        return drained(FINE)
    return not_drained(failure.ending, given_up=failure.given_up)


def _retrieve(kept: asyncio.Future[Outcome]) -> None:
    """Nobody waits for this row any more; the recorder has logged what went wrong."""
    if not kept.cancelled():
        kept.exception()


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
