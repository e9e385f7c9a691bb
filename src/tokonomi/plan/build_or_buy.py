"""Running a model oneself against paying for each token: where one becomes cheaper than the other.

Machines come in whole replicas, so their cost is a stairway. With R replicas, each of which
sustains m requests a minute, at a peak of k times the mean, R (m / k) requests a minute on average
are the most; their month costs F(R) = R x replica + engineering. An interface costs p for each
request, and machines v (energy and the like): machines are cheaper from F(R) / (p - v) requests on.
That is a crossover only where it lies on the step of R. The answer is a set of intervals, which may
be empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from tokonomi.plan.scenario import FineTune, SelfHost

MINUTES_A_DAY = 24 * 60
_PARTS = 8


class End(StrEnum):
    """Which end of the uncertain numbers is taken."""

    BEST = "best for machines"
    MEAN = "at the means"
    WORST = "worst for machines"


@dataclass(frozen=True, slots=True)
class Machines:
    """Own machines, every number at one end; amounts in whole units of the plan's currency.

    Attributes:
        replica: cost of one in a month.
        sustained: requests a minute, on average, that one replica can be given.
        engineering: cost in a month however many there are.
        each: cost of a request.
        most: replicas to look at.
        days: of a month.
    """

    replica: Fraction
    sustained: Fraction
    engineering: Fraction
    each: Fraction
    most: int
    days: int

    @property
    def requests_of_a_minute(self) -> int:
        """Requests in a month of one a minute."""
        return MINUTES_A_DAY * self.days

    def fixed(self, replicas: int) -> Fraction:
        """What so many replicas cost in a month before they answer anything."""
        return replicas * self.replica + self.engineering

    def needed(self, requests_per_minute: Fraction) -> int:
        """How many replicas so many requests a minute take; one at least."""
        return max(ceil(requests_per_minute / self.sustained), 1)

    def cost(self, requests_per_minute: Fraction) -> Fraction:
        """What a month of so many requests a minute costs on the machines that it takes."""
        requests = requests_per_minute * self.requests_of_a_minute
        return self.fixed(self.needed(requests_per_minute)) + requests * self.each

    def stairs(self, low: Fraction, high: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        """Requests a minute from `low` to `high` with their cost, both ends of each step too.

        >>> two = Machines(Fraction(2000), Fraction(100), Fraction(0), Fraction(0), 2, 30)
        >>> sorted({int(cost) for _, cost in two.stairs(Fraction(50), Fraction(200))})
        [2000, 4000]
        """
        for replicas in range(self.needed(low), self.needed(high) + 1):
            start = max(low, (replicas - 1) * self.sustained)
            end = min(high, replicas * self.sustained)
            for part in range(_PARTS + 1):
                rate = start + (end - start) * part / _PARTS
                yield rate, self.fixed(replicas) + rate * self.requests_of_a_minute * self.each


def machines_at(stated: SelfHost, end: End, *, days: int) -> Machines:
    """The machines with every number at this end."""

    def low(name: str) -> Fraction:
        quantity = getattr(stated, name)
        return {End.BEST: quantity.low, End.MEAN: quantity.mean, End.WORST: quantity.high}[end]

    def high(name: str) -> Fraction:
        quantity = getattr(stated, name)
        return {End.BEST: quantity.high, End.MEAN: quantity.mean, End.WORST: quantity.low}[end]

    return Machines(
        low("replica_cost"),
        high("requests_per_minute") / low("peak_factor"),
        low("engineering"),
        low("cost_per_request"),
        stated.most_replicas,
        days,
    )


@dataclass(frozen=True, slots=True)
class Cheaper:
    """Requests a minute between which own machines are cheaper: from, and up to and with.

    Attributes:
        low: the first at which they cost the same.
        high: the most that was looked at, or where the next step takes the advantage away.
        replicas: how many at the first.
        open_ended: whether it ends only because no more replicas were looked at.
    """

    low: Fraction
    high: Fraction
    replicas: int
    open_ended: bool


def crossovers(machines: Machines, price_of_a_request: Fraction) -> tuple[Cheaper, ...]:
    """Where machines are cheaper than the interface, as intervals; none is an answer too.

    >>> one = Machines(Fraction(2000), Fraction(200), Fraction(0), Fraction(0), 1, 30)
    >>> [found] = crossovers(one, Fraction("0.006"))
    >>> float(round(found.low, 3)), found.high
    (7.716, Fraction(200, 1))
    """
    steps = list(_steps(machines, price_of_a_request))
    joined: list[Cheaper] = []
    for step in steps:
        if joined and joined[-1].high == step.low:
            last = joined[-1]
            joined[-1] = Cheaper(last.low, step.high, last.replicas, step.open_ended)
        else:
            joined.append(step)
    return tuple(joined)


def _steps(machines: Machines, price: Fraction) -> Iterator[Cheaper]:
    saved = (price - machines.each) * machines.requests_of_a_minute
    if saved <= 0:
        return
    for replicas in range(1, machines.most + 1):
        start = (replicas - 1) * machines.sustained
        end = replicas * machines.sustained
        first = max(machines.fixed(replicas) / saved, start)
        if first <= end:
            yield Cheaper(first, end, replicas, replicas == machines.most)


@dataclass(frozen=True, slots=True)
class Scale:
    """A number of requests a day, by both ways.

    Attributes:
        requests_per_day: asked for.
        interface: what the interface costs in a month.
        machines: what own machines cost.
        replicas: how many of them it takes.
    """

    requests_per_day: Fraction
    interface: Fraction
    machines: Fraction
    replicas: int

    @property
    def cheaper(self) -> str:
        """Which of both costs less."""
        return "machines" if self.machines < self.interface else "interface"


def at_scale(machines: Machines, price: Fraction, requests_per_day: Fraction) -> Scale:
    """So many requests a day by both ways."""
    per_minute = requests_per_day / MINUTES_A_DAY
    return Scale(
        requests_per_day,
        requests_per_day * machines.days * price,
        machines.cost(per_minute),
        machines.needed(per_minute),
    )


def does_not_fit(stated: SelfHost) -> bool:
    """Whether the weights of the model are larger than the memory of a replica."""
    weights, memory = stated.weights_gb, stated.memory_gb
    return weights is not None and memory is not None and weights.mean > memory.mean


@dataclass(frozen=True, slots=True)
class Tuned:
    """A fine-tuned model against the listed one, for one multiplier of its price.

    Attributes:
        multiplier: of the price of a token.
        saved: part of the bill that is saved, below 0 where it is dearer.
        fixed: training, spread, and upkeep, in a month.
        break_even_per_day: requests a day from which it pays, None where it never does.
    """

    multiplier: Fraction
    saved: Fraction
    fixed: Fraction
    break_even_per_day: Fraction | None


def tuned(stated: FineTune, price_of_a_request: Fraction, *, days: int) -> Iterator[Tuned]:
    """The fine-tuned model at the low end, the mean and the high end of its price."""
    price = stated.price_multiplier
    for multiplier in dict.fromkeys((price.low, price.mean, price.high)):
        saved = 1 - multiplier * (1 - stated.token_reduction.mean)
        fixed = stated.training_cost.mean / stated.spread_months + stated.upkeep.mean
        each = price_of_a_request * saved * days
        yield Tuned(multiplier, saved, fixed, fixed / each if each > 0 else None)


def reduction_for(multiplier: Fraction, saving: Fraction) -> Fraction:
    """The part of the tokens that must go so that a dearer model still saves this part.

    >>> reduction_for(Fraction(3, 2), Fraction(1, 5))
    Fraction(7, 15)
    """
    return 1 - (1 - saving) / multiplier
