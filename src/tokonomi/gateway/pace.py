"""What a request claims of the limits of its key: itself, and the tokens that it may use."""

from typing import Final

import msgspec

from tokonomi.budgets.hold_size import OutputLimit, Refused
from tokonomi.budgets.rate_limit import UNLIMITED, RateClaim
from tokonomi.gateway.request_bounds import readable_limit
from tokonomi.gateway.settle import Exchange
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import ModelCard


class Pace(msgspec.Struct, frozen=True):
    """The claim of a request, and the limit of output to send along for it to hold."""

    claim: RateClaim | None = None
    send_max_tokens: int | None = None


UNPACED: Final = Pace()


def pace_of(exchange: Exchange, book: PriceBook, *, output_cap: int | None) -> Pace | Refused:
    """What a request claims of its key's limits, or why that cannot be told.

    Tokens are claimed at what can be read of the request: its whole text, and the most output that
    it or its model allows. No price is needed for that, and no field that is not known stands in
    the way: this limit is no matter of money, and what is used is counted when the call ends.
    """
    if exchange.rate_limits == UNLIMITED:
        return UNPACED
    key_id, limit = exchange.intent.dimensions.key_id, exchange.rate_limits.tokens
    if limit is None:
        return Pace(RateClaim(key_id))
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    card = ModelCard() if entry is None else entry.card
    longest = card.max_output or card.context_window
    output = OutputLimit(0, None)
    if exchange.answers:
        found = readable_limit(exchange.request, model_maximum=longest, cap=output_cap)
        if isinstance(found, Unpriced):
            return _unbounded(key_id, limit, found)
        output = found
    return Pace(RateClaim(key_id, exchange.intent.input_bound + output.tokens), output.send)


def _unbounded(key_id: str, limit: int, found: Unpriced) -> Refused:
    return Refused(
        code="tokens_unbounded",
        source=f"key {key_id}",
        what=f"this key may use {limit} tokens a minute, and what this request may use is not"
        f" known: {found.reason}",
        remedy="Send max_tokens.",
    )
