"""Arithmetic that a plan is computed in: exact fractions, or a million draws at once.

The formulas of the workload are written once, over `N`. `Exact` gives the figures that are printed;
`Draws` is the named border behind which floats live, for bands and sensitivities only.
"""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import Protocol, Self, TypeVar

import msgspec

from tokonomi.errors import BadPlan
from tokonomi.plan.quantity import Quantity
from tokonomi.pricing.charge import Unpriced, charge
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.usage import Usage

FEES = "fees"
"""What a call costs apart from tokens: searches, and the fee of a request where there is one."""


class Real(Protocol):
    """What the formulas need of a number."""

    def __add__(self, other: Self | int, /) -> Self: ...
    def __radd__(self, other: int, /) -> Self: ...
    def __sub__(self, other: Self | int, /) -> Self: ...
    def __rsub__(self, other: int, /) -> Self: ...
    def __mul__(self, other: Self | int, /) -> Self: ...
    def __rmul__(self, other: int, /) -> Self: ...
    def __truediv__(self, other: Self | int, /) -> Self: ...
    def __rtruediv__(self, other: int, /) -> Self: ...


N = TypeVar("N", bound=Real)


class Arithmetic(Protocol[N]):
    """One way of computing a plan."""

    def of(self, quantity: Quantity) -> N:
        """The value of a number of the scenario."""
        ...

    def whole(self, number: int | Fraction) -> N:
        """A constant."""
        ...

    def smaller(self, one: N, other: N) -> N:
        """The smaller of two."""
        ...

    def within_one(self, value: N) -> N:
        """The value, not below 0 and not above 1."""
        ...

    def ceiling(self, value: N) -> int:
        """The smallest whole number that is not below any value of it."""
        ...

    def price(self, row: PriceRow, count: str, quantity: N, context: N) -> N:
        """What `quantity` units of a call cost, in whole units of the row's currency.

        `count` is a count of `Usage` or `FEES`, whose quantity is the searches of one call;
        `context` are the input tokens of the whole call.
        """
        ...

    def fee(self, row: PriceRow, searches: int, requests: int) -> N:
        """What so many searches in so many requests cost together."""
        ...


class Means:
    """Exact arithmetic: every distribution stands at its mean, every cost is made by the kernel.

    `instead` takes the place of the mean of single numbers.
    """

    def __init__(self, instead: Callable[[Quantity], Fraction | None] = lambda _: None) -> None:
        self._instead = instead

    def of(self, quantity: Quantity) -> Fraction:
        """Its mean, exactly."""
        value = self._instead(quantity)
        return quantity.mean if value is None else value

    def whole(self, number: int | Fraction) -> Fraction:
        """The number."""
        return Fraction(number)

    def smaller(self, one: Fraction, other: Fraction) -> Fraction:
        """The smaller of two."""
        return min(one, other)

    def within_one(self, value: Fraction) -> Fraction:
        """The value, not below 0 and not above 1."""
        return min(max(value, Fraction(0)), Fraction(1))

    def ceiling(self, value: Fraction) -> int:
        """The next whole number."""
        return ceil(value)

    def price(self, row: PriceRow, count: str, quantity: Fraction, context: Fraction) -> Fraction:
        """The exact cost, by `charge`.

        A mean call has fractions of tokens and the kernel has not. What tokens cost is a straight
        line within a context tier, so one of them is charged, in a call with this context. Searches
        may be billed once a prompt at most: as many calls are charged at once as make their number
        whole, and the cost is divided by that many again.
        """
        if count != FEES and not quantity:
            return quantity
        if count != FEES:
            return charged(usage_of(row, count, 1, calls=1, context=floor(context)), row) * quantity
        calls = quantity.denominator
        usage = usage_of(row, count, quantity.numerator, calls=calls, context=floor(context))
        return charged(usage, row) / calls

    def fee(self, row: PriceRow, searches: int, requests: int) -> Fraction:
        """The exact cost, by `charge`."""
        return charged(usage_of(row, FEES, searches, calls=requests, context=0), row)


def usage_of(row: PriceRow, count: str, number: int, *, calls: int, context: int) -> Usage:
    """The usage of one count alone, in `calls` calls with `context` input tokens each."""
    if count == FEES:
        return Usage(at=row.valid_from, searches=number, requests=calls)
    none = Usage(at=row.valid_from, requests=0, context_basis=context)
    if count == "reasoning":
        return msgspec.structs.replace(none, reasoning=number, output=number)
    return msgspec.structs.replace(none, **{count: number})


def charged(usage: Usage, row: PriceRow) -> Fraction:
    """The exact cost of a usage, in whole units of the row's currency.

    Raises:
        BadPlan: the row has no price for what it consumes, or the cost is beyond what is kept.
    """
    cost = charge(usage, row)
    if isinstance(cost, Unpriced):
        raise BadPlan(
            f"{row.provider}/{row.model} cannot be priced: {cost.reason}",
            remedy="An unknown price is not 0. Choose another model, or state the price in a "
            "contract file (--contract).",
        )
    return cost.total.fraction()


def has_fee(row: PriceRow) -> bool:
    """Whether the row charges for a request as such."""
    return Meter.REQUEST in row.rates
