"""A month from a sample of calls: what a call costs, and how wrong that may be.

The forecast is exact arithmetic on the sample. How far it may be off is an estimate: the mean of
the sample is drawn again and again from blocks of neighbouring calls (a circular block bootstrap),
because calls that follow each other are alike, and single calls would make it look too sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from tokonomi.errors import BadPlan
from tokonomi.money import currency_of
from tokonomi.plan.measure import Counted
from tokonomi.plan.numbers import charged
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.sampling import Array
from tokonomi.plan.simulate import SEED

FEWEST: Final = 30
"""Calls of a sample, below which its spread says little."""
RESAMPLES: Final = 4_000
SURENESS: Final = 95
"""Percent of the bootstrap's means between the ends that are told."""
TOLD: Final = 200
"""Means of a count that a scenario states."""
DECIMALS: Final = 6
"""Of each of them but one, which makes their mean exact."""
STRONGEST: Final = Fraction(99, 100)
"""A rank correlation; beyond it two numbers would be one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Calls with their exact costs, in their order.

    Attributes:
        currency: of all their price rows.
        costs: in whole units of it.
        inputs: input tokens of each.
        outputs: output tokens of each.
    """

    currency: str
    costs: tuple[Fraction, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.costs)

    @property
    def mean(self) -> Fraction:
        """The exact mean cost of a call."""
        return sum(self.costs, Fraction()) / len(self.costs)

    def spread_out(self, first: int) -> "Sample":
        """The same calls, of which so many from all of the time come first, in their order."""
        size = len(self)
        chosen = sorted({place * size // first for place in range(min(first, size))})
        taken = set(chosen)
        order = [*chosen, *(place for place in range(size) if place not in taken)]
        columns = ([column[place] for place in order] for column in (self.inputs, self.outputs))
        inputs, outputs = columns
        costs = tuple(self.costs[place] for place in order)
        return Sample(self.currency, costs, tuple(inputs), tuple(outputs))

    def part(self, start: int, end: int | None) -> "Sample":
        """Some of the calls, in their order."""
        kept = slice(start, end)
        return Sample(self.currency, self.costs[kept], self.inputs[kept], self.outputs[kept])


def sampled(calls: Sequence[Counted], prices: PriceList) -> Sample:
    """The calls with what each costs on the plan's date, by the one law.

    Raises:
        BadPlan: too few calls, a model without a price, or rows in several currencies.
    """
    if len(calls) < FEWEST:
        raise BadPlan(
            f"a sample of {len(calls)} calls says little about a month",
            remedy=f"Record {FEWEST} at least; a thousand is a good number.",
        )
    rows = [prices.row(call.model, call.usage.tier, batch=call.usage.batch) for call in calls]
    currencies = sorted({row.currency for row in rows})
    if len(currencies) > 1:
        raise BadPlan(
            f"the sample is priced in {' and '.join(currencies)}",
            remedy="Predict from the calls of one currency at a time.",
        )
    return Sample(
        currencies[0],
        tuple(charged(call.usage, row) for call, row in zip(calls, rows, strict=True)),
        tuple(call.usage.total_input for call in calls),
        tuple(call.usage.total_output for call in calls),
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """Between which means the true one lies with `SURENESS` percent, by the bootstrap."""

    low: Fraction
    high: Fraction


def spread_of_mean(sample: Sample, *, seed: int = SEED) -> Spread:
    """How far the mean of a sample may be off, as an estimate."""
    values = np.asarray([float(cost) for cost in sample.costs])
    means = _block_means(values, np.random.default_rng(seed))
    tail = (100 - SURENESS) / 2
    ends = [float(np.percentile(means, each)) for each in (tail, 100 - tail)]
    unit = currency_of(sample.currency).sub_units
    low, high = (Fraction(round(end * unit), unit) for end in ends)
    return Spread(low, high)


@dataclass(frozen=True, slots=True)
class MeanCounts:
    """What the mean tokens of a call may be, by the bootstrap: what a month of many calls draws.

    Attributes:
        inputs: in rising order, their mean the sample's; one value where all calls have it.
        outputs: the same.
        rank: the rank correlation of both.
    """

    inputs: tuple[Fraction, ...]
    outputs: tuple[Fraction, ...]
    rank: Fraction


def mean_counts(sample: Sample, *, seed: int = SEED) -> MeanCounts:
    """The means of the counts in the same blocks that `spread_of_mean` draws."""
    inputs, outputs = (
        _block_means(np.asarray(counts, dtype=np.float64), np.random.default_rng(seed))
        for counts in (sample.inputs, sample.outputs)
    )
    return MeanCounts(
        _told(inputs, sample.inputs), _told(outputs, sample.outputs), _rank(inputs, outputs)
    )


def _told(means: Array, counts: Sequence[int]) -> tuple[Fraction, ...]:
    """Evenly spaced percentiles of the means, whose own mean is exactly that of the counts."""
    exact = Fraction(sum(counts), len(counts))
    if min(counts) == max(counts):
        return (exact,)
    found = np.percentile(means, (np.arange(TOLD) + 0.5) * (100 / TOLD))
    scaled = found * (float(exact) / float(found.mean()))
    unit = 10**DECIMALS
    others = [Fraction(round(float(each) * unit), unit) for each in scaled[:-1]]
    return (*others, exact * TOLD - sum(others, Fraction()))


def _rank(one: Array, other: Array) -> Fraction:
    """Spearman's rank correlation of two rows, 0 where one of them does not vary."""
    if one.min() == one.max() or other.min() == other.max():
        return Fraction(0)
    apart = one.argsort().argsort() - other.argsort().argsort()
    size = len(one)
    found = 1 - Fraction(6 * int((apart * apart).sum()), size * (size * size - 1))
    return min(max(round(found, 2), -STRONGEST), STRONGEST)


def _block_means(values: Array, random: np.random.Generator) -> Array:
    """Means of samples that are made of blocks of neighbours, the last joined to the first.

    A block has the cube root of the sample's size, times two: the usual order of length.
    """
    size = len(values)
    length = max(round(2 * size ** (1 / 3)), 1)
    blocks = -(-size // length)
    ring = np.concatenate([values, values[:length]])
    sums = np.concatenate([[0.0], np.cumsum(ring)])
    of_block = (sums[length : length + size] - sums[:size]) / length
    starts = random.integers(0, size, size=(RESAMPLES, blocks))
    return of_block[starts].mean(axis=1)


@dataclass(frozen=True, slots=True)
class Volume:
    """What a sample is blown up to.

    Attributes:
        calls_per_day: expected.
        days: of a month.
        buffer: added for growth of contexts, retries and edge cases.
    """

    calls_per_day: Fraction
    days: int
    buffer: Fraction

    @property
    def calls(self) -> Fraction:
        """In a month."""
        return self.calls_per_day * self.days

    def cost(self, of_a_call: Fraction) -> Fraction:
        """What a month costs, with the buffer."""
        return self.calls * of_a_call * (1 + self.buffer)


@dataclass(frozen=True, slots=True)
class BackTest:
    """A forecast from the first calls, held to what the others cost.

    Attributes:
        first: calls that the forecast was made of.
        others: calls that it is held to.
        predicted: cost of the others by the forecast, without a buffer.
        spread: between which it was said to lie.
        actual: what they cost.
    """

    first: int
    others: int
    predicted: Fraction
    spread: Spread
    actual: Fraction

    @property
    def error(self) -> Fraction | None:
        """How much the forecast was off, as a part of what they cost."""
        return self.predicted / self.actual - 1 if self.actual else None

    @property
    def held(self) -> bool:
        """Whether what they cost lay where it was said to."""
        return self.spread.low <= self.actual <= self.spread.high


def back_test(sample: Sample, first: int, *, seed: int = SEED) -> BackTest:
    """The forecast of the calls after the first ones, from the first ones.

    The spread allows for the others too: they are a sample themselves, of their own size.
    """
    before, after = sample.part(0, first), sample.part(first, None)
    of_mean = spread_of_mean(before, seed=seed)
    wider = Fraction(round((1 + len(before) / len(after)) ** 0.5 * 10**6), 10**6)
    mean, number = before.mean, len(after)
    return BackTest(
        len(before),
        number,
        mean * number,
        Spread(
            (mean - (mean - of_mean.low) * wider) * number,
            (mean + (of_mean.high - mean) * wider) * number,
        ),
        sum(after.costs, Fraction()),
    )
