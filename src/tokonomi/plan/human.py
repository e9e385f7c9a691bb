"""The same work done by people: what an item costs them, and how many of them it would take."""

from dataclasses import dataclass
from fractions import Fraction

from tokonomi.plan.scenario import Human


@dataclass(frozen=True, slots=True)
class Hands:
    """People at one end of what they cost and finish.

    Attributes:
        monthly_cost: of one person, in whole units of the plan's currency.
        items_per_day: that one person finishes.
        cost_per_item: of a person.
        people: who would finish as much as the plan does.
        times: cost per item of a person against that of the plan.
    """

    monthly_cost: Fraction
    items_per_day: Fraction
    cost_per_item: Fraction
    people: Fraction
    times: Fraction


def hands(
    human: Human, *, cost: Fraction, items: Fraction, days_per_month: int
) -> tuple[Hands, Hands]:
    """The cheapest and the dearest people beside a month that costs `cost` and makes `items`.

    People are taken to work on as many days as the plan has.

    >>> from tokonomi.plan.quantity import Natural, Positive
    >>> human = Human(monthly_cost=Natural.parse("4000..6000"), items_per_day=Positive.of(50))
    >>> low, high = hands(human, cost=Fraction(5144), items=Fraction(300_000), days_per_month=30)
    >>> low.cost_per_item, high.cost_per_item, low.people
    (Fraction(8, 3), Fraction(4, 1), Fraction(200, 1))
    """
    pay, pace = human.monthly_cost, human.items_per_day
    each = cost / items
    found: list[Hands] = []
    for monthly, daily in ((pay.low, pace.high), (pay.high, pace.low)):
        finished = daily * days_per_month
        own = monthly / finished
        found.append(Hands(monthly, daily, own, items / finished, own / each))
    cheapest, dearest = found
    return cheapest, dearest
