"""The dearest that a call can be under a price row, known before the call is made."""

from functools import cache, lru_cache
from typing import Final, Literal

import msgspec

from tokonomi.errors import BadInput
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import Bracket, Meter, PriceRow, SearchUnit

_CACHED_ROWS: Final = 10_000
_METERS: Final = tuple(Meter)
_SEARCH: Final = _METERS.index(Meter.SEARCH)
_REQUEST: Final = _METERS.index(Meter.REQUEST)
_TEXT_INPUT: Final = (Meter.INPUT, Meter.CACHE_READ, Meter.CACHE_WRITE_5M, Meter.CACHE_WRITE_1H)
_TEXT_OUTPUT: Final = (Meter.OUTPUT, Meter.REASONING)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a request can consume.

    Attributes:
        input_tokens: all input tokens, cached or not.
        output_tokens: output tokens of one choice, hidden reasoning among them.
        choices: answers that the request asks for (`n`).
        searches: billable web searches.
        requests: billable requests.
        audio_in: whether the request carries audio.
        image_in: whether the request carries images.
        audio_out: whether the request asks for audio.
        image_out: whether the request asks for images.

    Raises:
        BadInput: a number is negative, or there is no choice at all.
    """

    input_tokens: int
    output_tokens: int
    choices: int = 1
    searches: int = 0
    requests: int = 1
    audio_in: bool = False
    image_in: bool = False
    audio_out: bool = False
    image_out: bool = False

    def __post_init__(self) -> None:
        smallest = min(self.input_tokens, self.output_tokens, self.searches, self.requests)
        if smallest < 0 or self.choices < 1:
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

    >>> from tokonomi.pricing.row import Rate
    >>> row = PriceRow(id="gpt-5.1", provider="openrouter", model="openai/gpt-5.1", currency="USD",
    ...                source="seed 001", rates={
    ...                    Meter.INPUT: Rate.of("1.25", per=10**6, currency="USD"),
    ...                    Meter.OUTPUT: Rate.of("10.00", per=10**6, currency="USD")})
    >>> upper_bound(row, Bounds(input_tokens=1000, output_tokens=500, choices=2))
    11250000000
    """
    searches = bounds.searches
    if row.search_unit is SearchUnit.PROMPT:
        searches = min(searches, bounds.requests)
    # A meter that nothing is consumed of needs no price.
    kinds = (
        _inputs(audio=bounds.audio_in, image=bounds.image_in) if bounds.input_tokens else (),
        _outputs(audio=bounds.audio_out, image=bounds.image_out) if bounds.output_tokens else (),
        (_SEARCH,) if searches else (),
    )
    most = 0
    for bracket in _dearest_rates(row, kinds):
        if bracket.first_tokens > bounds.input_tokens:
            continue
        if bracket.missing:
            return Unpriced(
                f"{row.id} has no price for {', '.join(bracket.missing)}", bracket.missing
            )
        total = (
            bounds.input_tokens * bracket.an_input
            + bounds.all_output_tokens * bracket.an_output
            + searches * bracket.a_search
            + bounds.requests * bracket.a_request
        )
        most = max(most, total)
    return most


class _DearestRates(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit can cost at most in a bracket, in sub-units, and what has no price there."""

    first_tokens: int
    an_input: int
    an_output: int
    a_search: int
    a_request: int
    missing: tuple[Meter, ...]


@lru_cache(maxsize=_CACHED_ROWS)
def _dearest_rates(row: PriceRow, kinds: tuple[tuple[int, ...], ...]) -> tuple[_DearestRates, ...]:
    """A row compiled for bounds: `kinds` are the meters of input, output and searches."""
    return tuple(_dearest_of(bracket, kinds) for bracket in row.brackets)


def _dearest_of(bracket: Bracket, kinds: tuple[tuple[int, ...], ...]) -> _DearestRates:
    rates = bracket.rates
    inputs, outputs, searches = (
        max((rates[index] or 0 for index in meters), default=0) for meters in kinds
    )
    return _DearestRates(
        first_tokens=bracket.first_tokens,
        an_input=inputs,
        an_output=outputs,
        a_search=searches,
        # A request fee is charged only where the row states one: `charge` says so.
        a_request=rates[_REQUEST] or 0,
        missing=tuple(
            _METERS[index] for meters in kinds for index in meters if rates[index] is None
        ),
    )


@cache
def _inputs(*, audio: bool, image: bool) -> tuple[int, ...]:
    spoken = (Meter.AUDIO_IN, Meter.CACHE_READ_AUDIO) if audio else ()
    return _places(*_TEXT_INPUT, *spoken, *((Meter.IMAGE_IN,) if image else ()))


@cache
def _outputs(*, audio: bool, image: bool) -> tuple[int, ...]:
    spoken = (Meter.AUDIO_OUT,) if audio else ()
    return _places(*_TEXT_OUTPUT, *spoken, *((Meter.IMAGE_OUT,) if image else ()))


def _places(*meters: Meter) -> tuple[int, ...]:
    return tuple(_METERS.index(meter) for meter in meters)
