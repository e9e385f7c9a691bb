"""The dearest that a call can be under a price row, known before the call is made."""

from typing import Literal

import msgspec

from tokonomi.errors import BadInput
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import TEXT, Dearest, Media, PriceRow, SearchUnit


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a request can consume.

    Attributes:
        input_tokens: all input tokens, cached or not.
        output_tokens: output tokens of one choice, hidden reasoning among them.
        choices: answers that the request asks for (`n`).
        searches: billable web searches.
        requests: billable requests.
        media: what besides text the request carries and asks for.

    Raises:
        BadInput: a number is negative, or there is no choice at all.
    """

    input_tokens: int
    output_tokens: int
    choices: int = 1
    searches: int = 0
    requests: int = 1
    media: Media = TEXT

    def __post_init__(self) -> None:
        if (
            self.input_tokens < 0
            or self.output_tokens < 0
            or self.searches < 0
            or self.requests < 0
            or self.choices < 1
        ):
            raise BadInput(
                f"a request for {self.choices} choices with {self.input_tokens} input and "
                f"{self.output_tokens} output tokens, {self.searches} searches",
                remedy="Send max_tokens of 0 or more and n of 1 or more.",
            )

    @property
    def all_output_tokens(self) -> int:
        """Output tokens of all choices together."""
        return self.output_tokens * self.choices


Obstacle = Literal["price_unknown", "request_too_dear", "invalid_request"]


class Unbounded(Unpriced, frozen=True):
    """What keeps a request from having a bound, and what its sender can do about that.

    Attributes:
        remedy: what to do, in one sentence.
        code: a cost that nobody knows, one that no ledger can hold, or a value that is none.
        param: the field of the request, where it is one.
    """

    remedy: str = ""
    code: Obstacle = "price_unknown"
    param: str | None = None


def upper_bound(row: PriceRow, bounds: Bounds) -> int | Unpriced:
    """The dearest charge, in sub-units of the row's currency, or what keeps it from being known.

    Every input token is taken at the dearest input meter that the request can reach (writing a
    cache is dearer than not caching), every output token at the dearest output meter (reasoning
    may have its own rate), in the dearest context tier that the input can reach, with all choices,
    searches and request fees. So for every usage within the bounds, `charge` is at most this; and
    the bound is tight: some usage within the bounds costs exactly it.

    A meter without a price that the request may use makes the whole bound unknown.

    >>> from tokonomi.pricing.row import Meter, Rate
    >>> row = PriceRow(id="gpt-5.1", provider="openrouter", model="openai/gpt-5.1", currency="USD",
    ...                source="seed 001", rates={
    ...                    Meter.INPUT: Rate.of("1.25", per=10**6, currency="USD"),
    ...                    Meter.OUTPUT: Rate.of("10.00", per=10**6, currency="USD")})
    >>> upper_bound(row, Bounds(input_tokens=1000, output_tokens=500, choices=2))
    11250000000
    """
    inputs, outputs = bounds.input_tokens, bounds.all_output_tokens
    searches, requests = bounds.searches, bounds.requests
    if searches and row.search_unit is SearchUnit.PROMPT:
        searches = min(searches, requests)
    most = 0
    for dearest in row.dearest[bounds.media]:
        if dearest.first_tokens > inputs:
            continue
        # A meter that nothing is consumed of needs no price.
        if (
            (inputs and dearest.unpriced_inputs)
            or (outputs and dearest.unpriced_outputs)
            or (searches and dearest.unpriced_search)
        ):
            return _unpriced(row, dearest, bounds, searches)
        total = (
            inputs * dearest.an_input
            + outputs * dearest.an_output
            + searches * dearest.a_search
            + requests * dearest.a_request
        )
        most = max(most, total)
    return most


def _unpriced(row: PriceRow, dearest: Dearest, bounds: Bounds, searches: int) -> Unpriced:
    missing = (
        *(dearest.unpriced_inputs if bounds.input_tokens else ()),
        *(dearest.unpriced_outputs if bounds.output_tokens else ()),
        *(dearest.unpriced_search if searches else ()),
    )
    return Unpriced(f"{row.id} has no price for {', '.join(missing)}", missing)
