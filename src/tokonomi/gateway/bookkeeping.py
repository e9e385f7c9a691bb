"""The two writes of every attempt: before it leaves, and when it has ended."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokonomi.budgets.rate_limit import RateRefusal
from tokonomi.calls import Call, Status
from tokonomi.errors import StoreError
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.observe import Observer
from tokonomi.gateway.refusals import refused_by_balance, refused_by_rate
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.settle import Exchange, row_of
from tokonomi.gateway.wire_errors import store_unavailable
from tokonomi.ledger.hold import Captured, Held, Refusal
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.settled_call import Ending, joined
from tokonomi.storage.call_groups import Outcome
from tokonomi.storage.database import OutcomeUnknown
from tokonomi.storage.recorder import Recorder
from tokonomi.usage import Source, Usage

_WITHHELD: Final = "the answer was withheld, because the store did not take its row in time"
_STOPPED: Final = Ending(Status.CUT, note="the gateway stopped", may_bill=True)
_STOPPED_FIRST: Final = "the gateway stopped before the call was sent"


class HandedOver(Struct, frozen=True):
    """The row of an attempt, how its holds are resolved, and the future of both being durable."""

    call: Call
    captured: tuple[Captured, ...]
    kept: Awaitable[Outcome]


@dataclass(frozen=True, slots=True)
class Bookkeeper:
    """Writes attempts, and counts them."""

    recorder: Recorder
    book: PriceBook
    rules: RulesInForce
    metrics: Metrics
    observer: Observer

    def begin(
        self, exchange: Exchange, allowed: Allowance, *, alone: bool
    ) -> asyncio.Future[Outcome]:
        """The intent of an attempt and its holds, on their way to the store."""
        begun = self.recorder.begin(exchange.intent, allowed.claims, rate=allowed.rate, alone=alone)
        return begun if isinstance(begun, asyncio.Future) else asyncio.ensure_future(begun)

    async def begun(
        self, exchange: Exchange, allowed: Allowance, beginning: asyncio.Future[Outcome]
    ) -> None:
        """Returns when the attempt may leave, with what it holds.

        Raises:
            WireError: it may not: a balance refuses it, or the store does not take it.
        """
        if not beginning.done():
            try:
                await _end_of(beginning)
            except asyncio.CancelledError:
                beginning.add_done_callback(lambda _: self._never_left(exchange, _STOPPED_FIRST))
                raise
        exchange.held = self._held(exchange, allowed, beginning)
        exchange.allowance = allowed
        exchange.begun_ns = time.monotonic_ns()
        exchange.sent_along = self.observer.attempt_begins(exchange)

    def _held(
        self, exchange: Exchange, allowed: Allowance, beginning: asyncio.Future[Outcome]
    ) -> tuple[Held, ...]:
        try:
            outcome = beginning.result()
        except StoreError as error:
            if isinstance(error, OutcomeUnknown):
                self._never_left(exchange, "the store was lost before the call was sent")
            raise store_unavailable(f"The call was not sent, because {error}") from None
        if isinstance(outcome, RateRefusal):
            raise refused_by_rate(outcome)
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
        self.observer.attempt_ended(exchange, call, ())
        self._owe(call)

    def hand_over(self, exchange: Exchange, ending: Ending, *, alone: bool) -> HandedOver:
        """The row of an attempt that has ended, on its way to the store."""
        call, captured = row_of(exchange, ending, self.book)
        exchange.settled = True
        limited = exchange.allowance.rate is not None
        kept = self.recorder.settle(call, captured or None, alone=alone, limited=limited)
        self.observer.attempt_ended(exchange, call, captured)
        return HandedOver(call, captured, kept)

    def abandon(self, exchange: Exchange) -> None:
        """Ends an attempt that nothing else has ended: the gateway stops, or has a defect."""
        if not exchange.settled:
            ending = _STOPPED if exchange.sent else Ending(Status.FAILED, unknown=_STOPPED_FIRST)
            ended = self.hand_over(exchange, ending, alone=False)
            asyncio.ensure_future(ended.kept).add_done_callback(_retrieve)

    async def until_kept(self, exchange: Exchange, ended: HandedOver) -> None:
        """Returns when the row is durable.

        Raises:
            WireError: the store did not take it in time. It is written when the store takes it.
        """
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


def _end_of(beginning: asyncio.Future[Outcome]) -> asyncio.Future[None]:
    """Done when the beginning is, whatever came of it; who is stopped meanwhile does not stop it.

    `asyncio.shield` does the same with three callbacks in place of one.
    """
    ended = beginning.get_loop().create_future()
    beginning.add_done_callback(partial(_tell, ended))
    return ended


def _tell(ended: asyncio.Future[None], _: asyncio.Future[Outcome]) -> None:
    if not ended.done():
        ended.set_result(None)


def _retrieve(kept: asyncio.Future[Outcome]) -> None:
    """Nobody waits for this row any more; the recorder has logged what went wrong."""
    if not kept.cancelled():
        kept.exception()
