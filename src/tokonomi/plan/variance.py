"""Shares of the variance: how much of what is uncertain about the cost comes from each number.

Sobol's indices, by SciPy (extra `sensitivity`). They take the numbers as independent.
"""

from typing import Any, Final

import numpy as np
import scipy.stats

from tokonomi.plan.draws import Draws
from tokonomi.plan.evaluate import total_cost
from tokonomi.plan.influence import Influence
from tokonomi.plan.inputs import uncertain_costs
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.sampling import Array, quantile
from tokonomi.plan.scenario import Scenario
from tokonomi.plan.simulate import SEED

POINTS: Final = 4_096
"""A power of 2, as quasi-random points ask for."""
_SEVERAL: Final = 2


def influences(
    scenario: Scenario, prices: PriceList, *, points: int = POINTS, seed: int = SEED
) -> tuple[Influence, ...]:
    """Every uncertain number of the cost, the most influential first."""
    inputs = uncertain_costs(scenario)
    if len(inputs) < _SEVERAL:
        # Nothing to share out: a number that is alone has all of the variance. SciPy refuses one.
        return tuple(Influence(path, 1.0, 1.0) for path in inputs)

    def cost(probabilities: Array) -> Array:
        drawn = {
            quantity: quantile(quantity, row)
            for quantity, row in zip(inputs.values(), probabilities, strict=True)
        }
        return np.asarray(total_cost(scenario, prices, Draws(drawn)))

    # SciPy states no types here; what comes back is narrowed at once.
    statistics: Any = scipy.stats
    found = statistics.sobol_indices(
        func=cost,
        n=points,
        dists=[statistics.uniform() for _ in inputs],
        rng=np.random.default_rng(seed),
    )
    rows = zip(inputs, found.first_order, found.total_order, strict=True)
    listed = [Influence(path, float(alone), float(in_all)) for path, alone, in_all in rows]
    return tuple(sorted(listed, key=lambda each: (-each.in_all, each.path)))
