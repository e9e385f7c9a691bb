"""From an ended exchange to the row that is kept, and to what becomes of its holds."""

import logging
import time
from math import inf
from typing import Final

from msgspec import Struct, field

from tokonomi.budgets.rate_limit import UNLIMITED, RateLimits
from tokonomi.calls import Call, Intent
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import ALLOWED, Allowance
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.outgoing import Sold, sold
from tokonomi.gateway.request import ParsedRequest
from tokonomi.gateway.request_bounds import longest_output
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.providers import settled_call
from tokonomi.providers.adapter import Reading
from tokonomi.providers.settled_call import (
    DEFECTS,
    Attempt,
    Counts,
    Ending,
    estimate,
    is_estimated,
    unknowable,
)
from tokonomi.routing.chain import Limits

_NANOSECONDS_PER_MS: Final = 1_000_000
ENDLESS: Final = Limits(inf, inf, None, inf, inf)
_log: Final = logging.getLogger("tokonomi.gateway")


class Exchange(Struct):
    """One attempt at a provider, from its intent to its end.

    Attributes:
        intent: what is durable since before the dispatch.
        target: where it goes.
        request: the client's request.
        reading: what the reply has said so far.
        begun_ns: monotonic instant of the dispatch.
        sent: whether its provider got anything: before that, nothing of it can be billed.
        http_status: the provider's status, 0 while there is none.
        first_token_ms: milliseconds to the first content.
        settled: whether its row was handed to the recorder.
        allowance: what budgets and wallets let it claim.
        held: what it holds on them.
        answers: whether its endpoint produces output tokens.
        patience: how long it may take.
        rate_limits: how fast the key may go that it is made with.
        asked: the client's request that it belongs to.
        sent_along: header lines of observers for the provider.
        batch: whether it is a line of a batch.
    """

    intent: Intent
    target: Target
    request: ParsedRequest
    reading: Reading
    begun_ns: int = 0
    sent: bool = False
    http_status: int = 0
    first_token_ms: int | None = None
    settled: bool = False
    allowance: Allowance = ALLOWED
    held: tuple[Held, ...] = ()
    answers: bool = True
    patience: Limits = ENDLESS
    rate_limits: RateLimits = UNLIMITED
    asked: Asked = field(default_factory=Asked)
    sent_along: bytes = b""
    batch: bool = False
    _sold: Sold | None = None

    @property
    def sold(self) -> Sold:
        """How its model is sold to it: found once, since the request's tools may be large."""
        if self._sold is None:
            self._sold = sold(self.request, self.target)
        return self._sold

    def most_billed(self) -> Money | None:
        """The most that its provider can bill, None where nobody knows."""
        return self.allowance.most_billed

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the dispatch."""
        return (time.monotonic_ns() - self.begun_ns) // _NANOSECONDS_PER_MS


def settled(exchange: Exchange, ending: Ending, book: PriceBook) -> Call:
    """The row of an ended exchange; see `settled_call.settled`."""
    whole = ending.counts is Counts.WHOLE
    longest = most_output(exchange, book) or 0 if whole else 0
    return settled_call.settled(_attempt(exchange, longest_answer=longest), ending, book)


def row_of(
    exchange: Exchange, ending: Ending, book: PriceBook
) -> tuple[Call, tuple[Captured, ...]]:
    """The row of an ended exchange, and how its holds are resolved; whatever happens there is one.

    A defect here must cost a call its price at most, never its row: then nobody would know of it.
    """
    try:
        call = settled(exchange, ending, book)
        if not exchange.sent:
            return call, tuple(capture(hold, 0) for hold in exchange.held)
        whole = ending.counts is Counts.WHOLE and is_estimated(call)
        delivered = estimate(_attempt(exchange)) if whole else None
        return call, exchange.allowance.captured(exchange.held, call, delivered)
    except DEFECTS as defect:
        _log.exception("call %s is recorded without a cost", exchange.intent.id)
        call = unknowable(_attempt(exchange), ending, type(defect).__name__)
        return call, exchange.allowance.captured(exchange.held, call)


def _attempt(exchange: Exchange, *, longest_answer: int = 0) -> Attempt:
    as_sold = exchange.sold
    return Attempt(
        intent=exchange.intent,
        price_as=exchange.target.price_as,
        sold_as=as_sold.name,
        searched=as_sold.searched,
        fields=exchange.request.fields,
        reading=exchange.reading,
        http_status=exchange.http_status,
        first_token_ms=exchange.first_token_ms,
        duration_ms=exchange.elapsed_ms,
        longest_answer=longest_answer,
        most_billed=exchange.most_billed,
        batch=exchange.batch,
    )


def most_output(exchange: Exchange, book: PriceBook) -> int | None:
    """The most output tokens that a request can get, or None where nothing bounds them.

    Its own limit or the one that was sent along for it, else the model's longest answer, times its
    choices. A model's context window is no guess of an answer's length, so it is not asked.
    """
    if not exchange.answers:
        return 0
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    return longest_output(
        exchange.request,
        model_maximum=None if entry is None else entry.card.max_output,
        cap=exchange.allowance.send_max_tokens,
    )
