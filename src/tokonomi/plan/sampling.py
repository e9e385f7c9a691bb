"""Draws of a scenario's uncertain numbers. Floats live here and in what is computed from draws.

Every number is drawn by its inverse distribution from a uniform one. Numbers that move together are
drawn from normal ones with the wanted rank correlation (a Gaussian copula), so that each keeps its
own distribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import erf, pi, sin, sqrt
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tokonomi.errors import BadPlan
from tokonomi.naming import meant
from tokonomi.plan.quantity import Exact, Knots, Quantity, Recorded, Triangular
from tokonomi.plan.scenario import Correlation

Array = NDArray[np.float64]

_GRID = 8_193
_FAR = 8.0


def quantile(quantity: Quantity, probability: Array) -> Array:
    """The values below which the quantity lies with these probabilities, element by element."""
    match quantity.shape:
        case Exact(value):
            return np.full_like(probability, float(value))
        case Triangular(low, mode, high):
            return _triangular(float(low), float(mode), float(high), probability)
        case Knots(points):
            at = [float(p) for p, _ in points]
            return np.interp(probability, at, [float(value) for _, value in points])
        case Recorded(values):
            place = np.minimum(probability * len(values), len(values) - 1).astype(np.int64)
            return np.asarray([float(value) for value in values])[place]
        case _:
            assert_never(quantity.shape)


def percentile(quantity: Quantity, probability: float) -> Fraction:
    """One such value as a fraction with nine decimals: an input to look at, near the exact one."""
    found = float(quantile(quantity, np.asarray([probability]))[0])
    return Fraction(round(found * 10**9), 10**9)


def _triangular(low: float, mode: float, high: float, probability: Array) -> Array:
    width, rise, fall = high - low, mode - low, high - mode
    peak = rise / width
    below = low + np.sqrt(probability * (width * rise))
    above = high - np.sqrt((1 - probability) * (width * fall))
    return np.where(probability < peak, below, above)


@dataclass(frozen=True)
class Sampler:
    """Draws values of uncertain numbers, some of which move together.

    Attributes:
        inputs: the numbers by their paths.
        correlations: pairs of paths with their rank correlation.
    """

    inputs: Mapping[str, Quantity]
    correlations: Sequence[Correlation]

    def draw(self, number: int, random: np.random.Generator) -> dict[Quantity, Array]:
        """So many values of each number; the same generator gives the same values.

        Raises:
            BadPlan: a correlation names no uncertain number, or they contradict each other.
        """
        tied = self._tied
        normals = random.standard_normal((len(tied), number))
        together = dict(zip(tied, self._factor @ normals, strict=True))
        drawn: dict[Quantity, Array] = {}
        for path, quantity in self.inputs.items():
            normal = together.get(path)
            uniform = random.random(number) if normal is None else below(normal)
            drawn[quantity] = quantile(quantity, uniform)
        return drawn

    @cached_property
    def _tied(self) -> list[str]:
        named = [path for each in self.correlations for path in (each.a, each.b)]
        for path in named:
            if path not in self.inputs:
                raise BadPlan(
                    f'a correlation names "{path}", which is no uncertain number of the cost',
                    remedy=meant(path, self.inputs) if self.inputs else "Give it a distribution.",
                )
        return list(dict.fromkeys(named))

    @cached_property
    def _factor(self) -> Array:
        """The lower factor of the correlations between the normal numbers.

        A rank correlation r of two normal numbers is one of 2 sin(pi r / 6) between them.
        """
        tied = self._tied
        matrix = np.eye(len(tied))
        for each in self.correlations:
            a, b = tied.index(each.a), tied.index(each.b)
            matrix[a, b] = matrix[b, a] = 2 * sin(pi * float(each.rank.mean) / 6)
        try:
            return np.linalg.cholesky(matrix).astype(np.float64)
        except np.linalg.LinAlgError:
            pairs = ", ".join(
                f"{each.a} with {each.b} {each.rank.text}" for each in self.correlations
            )
            raise BadPlan(
                f"the correlations contradict each other: {pairs}",
                remedy="Bring one of them nearer to 0.",
            ) from None


def below(normal: Array) -> Array:
    """The probability that a normal number lies below these, to some 5e-7, by interpolation."""
    at, probability = _normal_table()
    return np.interp(normal, at, probability)


@cache
def _normal_table() -> tuple[Array, Array]:
    at = np.linspace(-_FAR, _FAR, _GRID)
    return at, np.asarray([(1 + erf(float(each) / sqrt(2))) / 2 for each in at])
