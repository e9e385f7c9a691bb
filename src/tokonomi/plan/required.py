"""Which value of one number takes a month to a target: how many sessions until $500?"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from tokonomi.errors import BadPlan
from tokonomi.plan.evaluate import total_cost, total_revenue
from tokonomi.plan.inputs import quantity_at
from tokonomi.plan.numbers import Means
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Scenario

Measure = Literal["cost", "profit"]

_DOUBLINGS: Final = 60
_HALVINGS: Final = 80
_DIGITS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Required:
    """The value at which a month reaches a target.

    Attributes:
        path: of the number.
        now: its mean in the scenario.
        value: at which the target is reached; the last one that does not pass it, to nine decimals.
        reached: what the month then costs or leaves, exactly.
        exact: whether that is the target to the last digit.
    """

    path: str
    now: Fraction
    value: Fraction
    reached: Fraction
    exact: bool


def required(
    scenario: Scenario,
    prices: PriceList,
    path: str,
    target: Fraction,
    *,
    measure: Measure = "cost",
) -> Required:
    """The value of a number at which the month's cost, or its profit, is the target.

    Everything else stands at its mean. The measure must rise or fall with the number.

    Raises:
        BadPlan: there is no such number, or no value of it reaches the target.
    """
    quantity = quantity_at(scenario, path)

    def at(value: Fraction) -> Fraction:
        return measured_at(scenario, prices, path, value, measure=measure)

    low, high = _around(quantity, at, target, path, measure=measure)
    value = _between(at, low, high, target)
    reached = at(value)
    return Required(path, quantity.mean, value, reached, reached == target)


def measured_at(
    scenario: Scenario,
    prices: PriceList,
    path: str,
    value: Fraction | int,
    *,
    measure: Measure = "cost",
) -> Fraction:
    """The exact cost, or profit, of the month with this value of a number."""
    quantity = quantity_at(scenario, path)
    numbers = Means(lambda each: Fraction(value) if each is quantity else None)
    cost = total_cost(scenario, prices, numbers)
    return cost if measure == "cost" else total_revenue(scenario, numbers) - cost


def _around(
    quantity: Quantity,
    at: Callable[[Fraction], Fraction],
    target: Fraction,
    path: str,
    *,
    measure: Measure,
) -> tuple[Fraction, Fraction]:
    """Two values between which the target lies."""
    least = quantity.least if quantity.least is not None else Fraction(0)
    first = last = at(least)
    start = max(quantity.mean, least + 1)
    highest = least
    for doubled in range(_DOUBLINGS):
        highest = start * 2**doubled if quantity.most is None else quantity.most
        last = at(highest)
        if (first - target) * (last - target) <= 0:
            return least, highest
        if quantity.most is not None or (doubled and last == first):
            break
    ends = f"it is {float(first):,.2f} at {least} and {float(last):,.2f} at {float(highest):g}"
    if quantity.most is None:
        ends = f"it is {float(first):,.2f} at {least}, and however high {path} is, never that"
    raise BadPlan(
        f"no value of {path} takes the {measure} of a month to {float(target):,.2f}: {ends}",
        remedy="Choose another number or another target.",
    )


def _between(
    at: Callable[[Fraction], Fraction], low: Fraction, high: Fraction, target: Fraction
) -> Fraction:
    """The value that reaches the target: at once on a straight line, else by halving."""
    start, end = at(low), at(high)
    if start == end:
        return low
    straight = low + (target - start) * (high - low) / (end - start)
    if at(straight) == target:
        return straight
    rises = end > start
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (at(middle) <= target) == rises:
            low = middle
        else:
            high = middle
    # The end of the interval that does not pass the target: below it on a rise, above on a fall.
    kept = low if rises else high
    return Fraction(int(kept * _DIGITS) + (0 if rises else 1), _DIGITS)
