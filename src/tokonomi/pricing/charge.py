"""`charge(usage, row)`: the one law that makes every cost in the system."""

from itertools import compress
from typing import Final

import msgspec

from tokonomi.errors import AmountTooLarge
from tokonomi.money import Money, checked_int64
from tokonomi.pricing.row import Bracket, Meter, PriceRow, SearchUnit
from tokonomi.usage import INPUT_BUCKETS, Usage, counts_of

_INPUTS: Final = len(INPUT_BUCKETS)
_METERS: Final = tuple(Meter)
_PLACES: Final = range(len(_METERS))
_OUTPUT: Final = _METERS.index(Meter.OUTPUT)
_REASONING: Final = _METERS.index(Meter.REASONING)
_SEARCH: Final = _METERS.index(Meter.SEARCH)
_REQUEST: Final = _METERS.index(Meter.REQUEST)


class ChargeLine(msgspec.Struct, frozen=True):
    """One line of a charge: `quantity` units at `rate` sub-units each make `amount` sub-units."""

    meter: Meter
    quantity: int
    rate: int
    amount: int


class Charge(msgspec.Struct, frozen=True, tag=True):
    """What a call costs, opened to its lines, which sum to `sub_units` exactly.

    `bracket_from` is the number of input tokens from which the applied context tier holds (0 is
    the base); `row_id` names the price row that was applied.
    """

    row_id: str
    currency: str
    sub_units: int
    lines: tuple[ChargeLine, ...]
    bracket_from: int = 0

    @property
    def total(self) -> Money:
        """The exact cost."""
        return Money(self.sub_units, self.currency)


class Unpriced(msgspec.Struct, frozen=True, tag=True):
    """A cost that is not known. It is not 0: budgets refuse it and reports count it apart.

    `reason` says what is missing; `meters` names the consumed meters that have no price.
    """

    reason: str
    meters: tuple[Meter, ...] = ()


def charge(usage: Usage, row: PriceRow) -> Charge | Unpriced:
    """The exact cost of a call under a price row, or what keeps it from being priced.

    Each consumed meter gives one line, quantity x rate in sub-units; a meter without a rate takes
    its parent's (`PARENTS`). The context tier is a cliff: the highest one that the input crosses
    gives the rates of all meters. Reasoning is a line of its own where its rate is not that of
    output. A per-request fee is charged only where the row states one; a search always needs one.

    >>> from datetime import datetime, UTC
    >>> from tokonomi.pricing.row import Rate
    >>> rates = {Meter.INPUT: Rate.of("0.40", per=10**6, currency="USD"),
    ...          Meter.OUTPUT: Rate.of("2.00", per=10**6, currency="USD")}
    >>> row = PriceRow(id="seed", provider="openrouter", model="mistral-medium-3.1",
    ...                currency="USD", source="seed 000", rates=rates)
    >>> session = Usage(at=datetime(2025, 11, 1, tzinfo=UTC), uncached_input=200, output=400)
    >>> charge(session, row).total.format()
    '$0.00088'
    """
    counts = list(counts_of(usage))
    brackets = row.brackets
    bracket = brackets[-1]
    if len(brackets) > 1:
        basis = usage.context_basis
        bracket = bracket_of(row, sum(counts[:_INPUTS]) if basis is None else basis)
    rates = bracket.rates
    if rates[_REQUEST] is None:
        counts[_REQUEST] = 0
    if counts[_SEARCH] and row.search_unit is SearchUnit.PROMPT:
        counts[_SEARCH] = min(counts[_SEARCH], usage.requests)
    if counts[_REASONING]:
        if rates[_REASONING] == rates[_OUTPUT]:
            counts[_REASONING] = 0
        else:
            counts[_OUTPUT] -= counts[_REASONING]
    total = 0
    lines: list[ChargeLine] = []
    for index in compress(_PLACES, counts):
        quantity, rate = counts[index], rates[index]
        if rate is None:
            return _unpriced(counts, rates, row)
        amount = quantity * rate
        total += amount
        lines.append(ChargeLine(_METERS[index], quantity, rate, amount))
    try:
        checked_int64(total)
    except AmountTooLarge as error:
        return Unpriced(str(error))
    return Charge(row.id, row.currency, total, tuple(lines), bracket.first_tokens)


def bracket_of(row: PriceRow, tokens: int) -> Bracket:
    """The compiled rates that hold for a request of this many input tokens."""
    brackets = row.brackets
    for bracket in brackets[:-1]:
        if tokens >= bracket.first_tokens:
            return bracket
    return brackets[-1]


def _unpriced(counts: list[int], rates: tuple[int | None, ...], row: PriceRow) -> Unpriced:
    missing = tuple(
        meter
        for meter, quantity, rate in zip(_METERS, counts, rates, strict=True)
        if quantity and rate is None
    )
    names = ", ".join(missing)
    return Unpriced(f"{row.id} has no price for {names}", missing)
