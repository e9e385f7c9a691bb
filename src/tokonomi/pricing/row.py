"""A price row: what one model's meters cost at a provider, under stated conditions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Final

import msgspec

from tokonomi.errors import BadPrices
from tokonomi.money import Money, currency_of, round_half_up
from tokonomi.usage import STANDARD_TIER


class Meter(StrEnum):
    """What is counted and priced. Token meters are priced per token, the last two per event."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_READ_AUDIO = "cache_read_audio"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    AUDIO_IN = "audio_in"
    IMAGE_IN = "image_in"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_OUT = "audio_out"
    IMAGE_OUT = "image_out"
    SEARCH = "search"
    REQUEST = "request"


PARENTS: Final[Mapping[Meter, tuple[Meter, ...]]] = {
    Meter.CACHE_READ: (Meter.INPUT,),
    Meter.CACHE_READ_AUDIO: (Meter.AUDIO_IN, Meter.CACHE_READ, Meter.INPUT),
    Meter.CACHE_WRITE_5M: (Meter.INPUT,),
    Meter.CACHE_WRITE_1H: (Meter.CACHE_WRITE_5M, Meter.INPUT),
    Meter.AUDIO_IN: (Meter.INPUT,),
    Meter.IMAGE_IN: (Meter.INPUT,),
    Meter.REASONING: (Meter.OUTPUT,),
    Meter.AUDIO_OUT: (Meter.OUTPUT,),
    Meter.IMAGE_OUT: (Meter.OUTPUT,),
}
"""A meter without a rate of its own takes the first of these that the row names, and never 0.

Cached audio looks at audio before it looks at cached text: where audio has its own price, no
discount on it is known.
"""

PER: Final[Mapping[Meter, int]] = {
    **dict.fromkeys(Meter, 1_000_000),
    Meter.SEARCH: 1_000,
    Meter.REQUEST: 1_000,
}
"""How many units a stated price buys, by custom: a million tokens, a thousand events."""

_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one unit of a meter.

    Attributes:
        text: the figure as its source states it, for example `"1.25"`.
        per: how many units that figure buys (1_000_000 tokens, 1_000 searches, 1 request).
        sub_units: the compiled integer, in sub-units of the row's currency per unit.
        exact: whether `sub_units` is that figure exactly; a finer figure was rounded half-up.

    >>> Rate.of("1.25", per=1_000_000, currency="USD").sub_units
    1250000
    """

    text: str
    per: int
    sub_units: int
    exact: bool

    @classmethod
    def of(cls, text: str, *, per: int, currency: str) -> "Rate":
        """The rate that a decimal string states.

        Raises:
            BadPrices: not a decimal number, or negative (some catalogues write -1 for "dynamic"),
                or so small that it would round to 0: only a source makes something free.
        """
        if not _DECIMAL.fullmatch(text) or per < 1:
            raise BadPrices(
                f"{text!r} per {per} is not a price", remedy='Write a decimal in quotes: "1.25".'
            )
        fraction = Fraction(text) / per
        if fraction < 0:
            raise BadPrices(
                f"negative price {text} per {per}",
                remedy="A dynamic price cannot be summed; state the real one.",
            )
        scaled = fraction * currency_of(currency).sub_units
        compiled = round_half_up(scaled)
        if scaled and not compiled:
            raise BadPrices(
                f"the price {text} {currency} per {per:,} would round to 0; "
                f"one sub-unit each is {Money(per, currency).decimal()}",
                remedy=f"Is it the price of one? Write the price of {per:,}.",
            )
        return cls(text, per, compiled, exact=scaled == compiled)


class Comparator(StrEnum):
    """How a context threshold is crossed; providers differ, so it is data."""

    ABOVE = ">"
    FROM = ">="


@dataclass(frozen=True, slots=True)
class ContextTier:
    """Rates of a request whose input crosses a threshold. A cliff: they hold for all its tokens.

    A tier replaces the meters that it names; the others keep the row's own rates.
    """

    threshold: int
    comparator: Comparator
    rates: Mapping[Meter, Rate] = field(hash=False)

    @property
    def first_tokens(self) -> int:
        """The smallest number of input tokens in this tier."""
        return self.threshold + 1 if self.comparator is Comparator.ABOVE else self.threshold


class SearchUnit(StrEnum):
    """What one billed search is; providers differ, so it is data."""

    QUERY = "query"
    """Every unique query that the model sent."""
    PROMPT = "prompt"
    """Every request that searched at all, however many queries it sent."""


ALL_WEEK: Final = frozenset(range(7))
DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """When in the week a row holds, in UTC.

    Attributes:
        weekdays: 0 is Monday, 6 is Sunday, by the UTC date.
        from_minute: first minute of the day, inclusive.
        to_minute: end minute of the day, exclusive; smaller than `from_minute` means that the
            window runs over midnight, its later part belonging to the day on which it began.
        closed_on: dates on which the window does not hold, from a holiday calendar.

    Raises:
        BadPrices: no weekday, or minutes outside the day, or an empty stretch.
    """

    weekdays: frozenset[int] = ALL_WEEK
    from_minute: int = 0
    to_minute: int = DAY_MINUTES
    closed_on: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        in_day = 0 <= self.from_minute < DAY_MINUTES and 0 <= self.to_minute <= DAY_MINUTES
        if not self.weekdays or not self.weekdays <= ALL_WEEK:
            raise BadPrices(f"weekdays {sorted(self.weekdays)} are not days from 0 to 6")
        if not in_day or self.from_minute == self.to_minute:
            raise BadPrices(f"a window from minute {self.from_minute} to {self.to_minute} of a day")

    @property
    def name(self) -> str:
        """The window as row ids write it, ISO weekdays last: `01:00-04:00/12345`."""
        hours = "-".join(f"{m // 60:02d}:{m % 60:02d}" for m in (self.from_minute, self.to_minute))
        days = "".join(str(day + 1) for day in sorted(self.weekdays))
        return hours if self.weekdays == ALL_WEEK else f"{hours}/{days}"

    def holds(self, at: datetime) -> bool:
        """Whether the instant, in UTC, lies in the window."""
        minute, day = at.hour * 60 + at.minute, at.date()
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute and self._opens(day)
        if minute >= self.from_minute:
            return self._opens(day)
        return minute < self.to_minute and self._opens(day - timedelta(days=1))

    def _opens(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.closed_on


BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


class Media(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What besides text a request carries and asks for."""

    audio_in: bool = False
    image_in: bool = False
    audio_out: bool = False
    image_out: bool = False


TEXT: Final = Media()
"""Of a request that is about nothing but text."""


@dataclass(frozen=True)
class PriceRow:
    """One dated price of one model: a rate per meter, with context tiers.

    Attributes:
        id: stable name of the row; ledgers keep it.
        provider: who bills, for example "openai", "openrouter".
        model: the provider's resolved model id, never an alias such as "-latest".
        currency: of all its rates.
        source: where the figures were read, with the date.
        rates: by meter, below every context threshold.
        tier: the service tier that it prices.
        batch: whether it prices batch calls.
        valid_from: first instant, inclusive, UTC, whole seconds.
        valid_to: end instant, exclusive, UTC, whole seconds.
        window: hours of the week in which it holds; None is always.
        context_tiers: in rising order of threshold.
        search_unit: what one billed search is.

    Raises:
        BadPrices: tiers out of order, or an end before the beginning, or instants not in UTC.
    """

    id: str
    provider: str
    model: str
    currency: str
    source: str
    rates: Mapping[Meter, Rate] = field(hash=False)
    tier: str = STANDARD_TIER
    batch: bool = False
    valid_from: datetime = BEGINNING
    valid_to: datetime = FOREVER
    window: Window | None = None
    context_tiers: tuple[ContextTier, ...] = ()
    search_unit: SearchUnit = SearchUnit.QUERY

    def __post_init__(self) -> None:
        firsts = [tier.first_tokens for tier in self.context_tiers]
        if firsts != sorted(set(firsts)):
            raise BadPrices(f"context tiers of {self.id} are not in rising order: {firsts}")
        for instant in (self.valid_from, self.valid_to):
            if instant.utcoffset() != timedelta(0) or instant.microsecond:
                raise BadPrices(f"{self.id}: {instant} is not a whole second in UTC")
        if self.valid_from >= self.valid_to:
            raise BadPrices(
                f"{self.id} ends ({self.valid_to}) before it begins ({self.valid_from})"
            )

    def __hash__(self) -> int:
        """The hash of its id, which tells rows apart in practice."""
        return hash(self.id)

    @cached_property
    def free(self) -> bool:
        """Whether its source prices everything at 0, explicitly; unknown is another thing."""
        tables = [self.rates, *(tier.rates for tier in self.context_tiers)]
        every = [rate for table in tables for rate in table.values()]
        return bool(self.rates) and all(rate.exact and rate.sub_units == 0 for rate in every)

    @cached_property
    def brackets(self) -> "tuple[Bracket, ...]":
        """The row compiled for `charge`: one bracket a context tier, highest threshold first."""
        base = Bracket(0, _with_parents(self.rates))
        above = [
            Bracket(tier.first_tokens, _with_parents({**self.rates, **tier.rates}))
            for tier in self.context_tiers
        ]
        return (*reversed(above), base)

    @cached_property
    def dearest(self) -> "Mapping[Media, tuple[Dearest, ...]]":
        """The row compiled for bounds of requests with some media: one of each bracket."""
        return _DearestByMedia(self.brackets)


@dataclass(frozen=True, slots=True)
class Bracket:
    """Compiled rates from a number of input tokens on, in sub-units per unit.

    `rates` runs in the order of `Meter`, parents resolved; `None` is an unknown price.
    """

    first_tokens: int
    rates: tuple[int | None, ...]


def _with_parents(rates: Mapping[Meter, Rate]) -> tuple[int | None, ...]:
    def resolved(meter: Meter) -> int | None:
        named = (rates[at].sub_units for at in (meter, *PARENTS.get(meter, ())) if at in rates)
        return next(named, None)

    return tuple(resolved(meter) for meter in Meter)


@dataclass(frozen=True, slots=True)
class Dearest:
    """The most that one unit can cost in a bracket, in sub-units, and what has no price there.

    Attributes:
        first_tokens: as the bracket has it.
        an_input: the dearest way to count a token of the input.
        an_output: the dearest way to count a token of the output.
        a_search: a web search.
        a_request: a request; `charge` makes a fee only where the row states one.
        unpriced_inputs: meters of the input without a price.
        unpriced_outputs: meters of the output without a price.
        unpriced_search: the meter of searches, if it has no price.
    """

    first_tokens: int
    an_input: int
    an_output: int
    a_search: int
    a_request: int
    unpriced_inputs: tuple[Meter, ...]
    unpriced_outputs: tuple[Meter, ...]
    unpriced_search: tuple[Meter, ...]


class _DearestByMedia(dict[Media, tuple[Dearest, ...]]):
    """Compiled when it is first asked for; there are no more than sixteen."""

    def __init__(self, brackets: tuple[Bracket, ...]) -> None:
        super().__init__()
        self._brackets = brackets

    def __missing__(self, media: Media) -> tuple[Dearest, ...]:
        found = self[media] = tuple(_dearest_of(bracket, media) for bracket in self._brackets)
        return found


def _dearest_of(bracket: Bracket, media: Media) -> Dearest:
    rates = dict(zip(Meter, bracket.rates, strict=True))
    inputs = (
        *(Meter.INPUT, Meter.CACHE_READ, Meter.CACHE_WRITE_5M, Meter.CACHE_WRITE_1H),
        *((Meter.AUDIO_IN, Meter.CACHE_READ_AUDIO) if media.audio_in else ()),
        *((Meter.IMAGE_IN,) if media.image_in else ()),
    )
    outputs = (
        *(Meter.OUTPUT, Meter.REASONING),
        *((Meter.AUDIO_OUT,) if media.audio_out else ()),
        *((Meter.IMAGE_OUT,) if media.image_out else ()),
    )

    def dearest(*meters: Meter) -> int:
        return max(rates[meter] or 0 for meter in meters)

    def unpriced(*meters: Meter) -> tuple[Meter, ...]:
        return tuple(meter for meter in meters if rates[meter] is None)

    return Dearest(
        first_tokens=bracket.first_tokens,
        an_input=dearest(*inputs),
        an_output=dearest(*outputs),
        a_search=dearest(Meter.SEARCH),
        a_request=dearest(Meter.REQUEST),
        unpriced_inputs=unpriced(*inputs),
        unpriced_outputs=unpriced(*outputs),
        unpriced_search=unpriced(Meter.SEARCH),
    )
