"""One number at a time: what each does to the cost, exactly, the others at their means."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tokonomi.plan.evaluate import total_cost
from tokonomi.plan.inputs import uncertain_costs
from tokonomi.plan.numbers import Means
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.sampling import percentile
from tokonomi.plan.scenario import Scenario

LOW: Final = 0.1
HIGH: Final = 0.9


@dataclass(frozen=True, slots=True)
class Swing:
    """A number's tenth and ninetieth percentile, and the cost of the month at each."""

    path: str
    low: Fraction
    high: Fraction
    cost_at_low: Fraction
    cost_at_high: Fraction

    @property
    def span(self) -> Fraction:
        """How far it moves the cost."""
        return abs(self.cost_at_high - self.cost_at_low)


def tornado(scenario: Scenario, prices: PriceList) -> tuple[Swing, ...]:
    """Every uncertain number that moves the cost, the strongest first."""
    found = [
        _swing(path, quantity, scenario, prices)
        for path, quantity in uncertain_costs(scenario).items()
    ]
    moving = [each for each in found if each.span]
    return tuple(sorted(moving, key=lambda each: (-each.span, each.path)))


def _swing(path: str, quantity: Quantity, scenario: Scenario, prices: PriceList) -> Swing:
    low, high = percentile(quantity, LOW), percentile(quantity, HIGH)
    costs = [cost_with(scenario, prices, quantity, value) for value in (low, high)]
    return Swing(path, low, high, *costs)


def cost_with(
    scenario: Scenario, prices: PriceList, quantity: Quantity, value: Fraction
) -> Fraction:
    """The exact cost of the month with another value of one number."""
    numbers = Means(lambda each: value if each is quantity else None)
    return total_cost(scenario, prices, numbers)
