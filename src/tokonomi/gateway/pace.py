"""What a request claims of the limits of its key: itself, and the tokens that it may use."""

from dataclasses import dataclass
from typing import Final

from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.gateway.settle import Exchange
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import ModelCard


@dataclass(frozen=True, slots=True)
class Pace:
    """The claim of a request, and the limit of output to send along for it to hold."""

    claim: RateClaim | None = None
    send_max_tokens: int | None = None


UNPACED: Final = Pace()


def pace_of(exchange: Exchange, book: PriceBook, *, output_cap: int | None) -> Pace | Refused:
    """What a request claims of its key's limits, or why that cannot be told.

    Tokens are claimed at their bound: the whole input, and the most output that the request or its
    model allows. No price is needed for that.
    """
    key_id, limit = exchange.intent.dimensions.key_id, exchange.rate_limits.tokens
    if not exchange.rate_limits:
        return UNPACED
    if limit is None:
        return Pace(RateClaim(key_id))
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    found = bounds_of(
        exchange.request,
        input_bound=exchange.intent.input_bound,
        card=ModelCard() if entry is None else entry.card,
        output_cap=output_cap,
        answers=exchange.answers,
    )
    if isinstance(found, Unpriced):
        return Refused(
            code="tokens_unbounded",
            budget_id=f"key {key_id}",
            what=f"this key may use {limit} tokens a minute, and what this request may use is not"
            f" known: {found.reason}",
            remedy="Send max_tokens.",
        )
    bounds, output = found
    return Pace(RateClaim(key_id, bounds.input_tokens + bounds.all_output_tokens), output.send)
