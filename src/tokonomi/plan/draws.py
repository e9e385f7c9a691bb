"""The arithmetic of draws: many values at once, as binary fractions, for estimates only.

What it gives are estimates of amounts and never amounts: nothing that is billed or added up to the
last sub-unit comes from here.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import cast

import numpy as np

from tokonomi.money import currency_of
from tokonomi.plan.numbers import FEES, charged, usage_of
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.sampling import Array
from tokonomi.pricing.row import Meter, PriceRow, SearchUnit

_METER = {"uncached_input": Meter.INPUT}


class Draws:
    """Arithmetic over the drawn values of some numbers; every other one stands at its mean."""

    def __init__(self, drawn: Mapping[Quantity, Array]) -> None:
        self._drawn = drawn

    def of(self, quantity: Quantity) -> Array:
        """Its drawn values, or its mean."""
        drawn = self._drawn.get(quantity)
        return self.whole(quantity.mean) if drawn is None else drawn

    def whole(self, number: int | Fraction) -> Array:
        """The number, which stands for as many equal ones as are asked for."""
        # A scalar behaves as an array of one value does, and is added and multiplied faster.
        return cast("Array", np.float64(number))

    def smaller(self, one: Array, other: Array) -> Array:
        """The smaller of two, draw by draw."""
        return np.minimum(one, other)

    def within_one(self, value: Array) -> Array:
        """The value, not below 0 and not above 1."""
        return np.minimum(np.maximum(value, 0.0), 1.0)

    def ceiling(self, value: Array) -> int:
        """The smallest whole number that is not below any draw of it."""
        return ceil(float(np.max(value)))

    def price(self, row: PriceRow, count: str, quantity: Array, context: Array) -> Array:
        """What `quantity` units of a call cost, each draw in the context tier that it falls in."""
        if count == FEES:
            return self._fees(row, quantity)
        meter = _METER.get(count) or Meter(count)
        scale = currency_of(row.currency).sub_units
        rates = [(each.first_tokens, each.rates[_PLACE[meter]]) for each in row.brackets]
        if any(rate is None for _, rate in rates) and np.any(quantity):
            # The kernel says which price is missing.
            charged(usage_of(row, count, 1, calls=1, context=int(np.max(context))), row)
        *above, (_, lowest) = [(first, (rate or 0) / scale) for first, rate in rates]
        found = self.whole(0) + lowest
        for first, rate in reversed(above):
            found = np.where(context >= first, rate, found)
        return quantity * found

    def _fees(self, row: PriceRow, searches: Array) -> Array:
        scale = currency_of(row.currency).sub_units
        rates = row.brackets[-1].rates
        search, request = rates[_PLACE[Meter.SEARCH]], rates[_PLACE[Meter.REQUEST]]
        if np.any(searches) and search is None:
            charged(usage_of(row, FEES, 1, calls=1, context=0), row)
        if row.search_unit is SearchUnit.PROMPT:
            searches = np.minimum(searches, 1.0)
        return searches * ((search or 0) / scale) + (request or 0) / scale

    def fee(self, row: PriceRow, searches: int, requests: int) -> Array:
        """What so many searches in so many requests cost together."""
        return self.whole(charged(usage_of(row, FEES, searches, calls=requests, context=0), row))


_PLACE = {meter: place for place, meter in enumerate(Meter)}
