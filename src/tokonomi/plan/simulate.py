"""Monte Carlo of a month: what it may cost and leave when its numbers are uncertain.

The same seed and the same scenario give the same draws on every machine, in blocks that fit a
processor's cache. All results are estimates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokonomi.plan.draws import Draws
from tokonomi.plan.evaluate import total_cost, total_revenue
from tokonomi.plan.inputs import uncertain_costs, uncertain_revenue
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.sampling import Array, Sampler
from tokonomi.plan.scenario import Scenario

BLOCK: Final = 32_768
"""Draws that are computed at once: some hundred kilobytes for each number."""
DRAWS: Final = 100_000
SEED: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What a month may cost, draw by draw, in whole units of the plan's currency.

    Attributes:
        costs: one for each draw.
        revenues: one for each draw, None without revenue.
    """

    costs: Array
    revenues: Array | None

    @property
    def profits(self) -> Array | None:
        """What is left, one for each draw."""
        return None if self.revenues is None else self.revenues - self.costs

    def chance_above(self, amount: float) -> float:
        """The part of the draws that cost more than an amount."""
        return float(np.mean(self.costs > amount))


def percentile_of(values: Array, percent: float) -> float:
    """The value below which so many percent of them lie."""
    return float(np.percentile(values, percent))


def simulate(
    scenario: Scenario,
    prices: PriceList,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    month: int = 0,
) -> Simulation:
    """The month with this number, from 0, in so many draws.

    Raises:
        BadPlan: correlations that cannot be, or a price that is missing.
    """
    costs: list[Array] = []
    revenues: list[Array] = []
    for size, numbers in _blocks(scenario, draws, seed):
        costs.append(_spread(total_cost(scenario, prices, numbers, month), size))
        if scenario.revenue:
            revenues.append(_spread(total_revenue(scenario, numbers, month), size))
    return Simulation(np.concatenate(costs), np.concatenate(revenues) if revenues else None)


def _blocks(scenario: Scenario, draws: int, seed: int) -> Iterator[tuple[int, Draws]]:
    inputs = {**uncertain_costs(scenario), **uncertain_revenue(scenario)}
    sampler = Sampler(inputs, scenario.correlation)
    random = np.random.default_rng(seed)
    for start in range(0, draws, BLOCK):
        size = min(BLOCK, draws - start)
        yield size, Draws(sampler.draw(size, random))


def _spread(values: Array, size: int) -> Array:
    """The values as many as there are draws, also where all of them are one."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,))
