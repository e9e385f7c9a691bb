"""A scenario's month, exactly: lines of whole sub-units that everything else adds up from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from tokonomi.errors import BadPlan
from tokonomi.money import Money, currency_of, round_half_up
from tokonomi.plan.money_items import cost_items, revenue_items
from tokonomi.plan.numbers import Arithmetic, Means, N
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.scenario import Category, Scenario
from tokonomi.plan.workload import Item, Role, Scale, scale_of, token_cost, token_items


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of a month, in whole sub-units of the plan's currency.

    Attributes:
        feature: the feature, or the name of a cost that is no token.
        model: as the scenario names it, empty where there is none.
        role: why the model is called.
        component: a part of the calls, or the category of the cost.
        tokens: how many, None where nothing is counted.
        sub_units: the amount, rounded half-up once.
        row_id: the price row that made it, empty where there is none.
        source: where that row's price was read.
    """

    feature: str
    model: str
    role: Role | None
    component: str
    tokens: Fraction | None
    sub_units: int
    row_id: str = ""
    source: str = ""

    @property
    def of_tokens(self) -> bool:
        """Whether it is made by calls."""
        return self.model != ""


@dataclass(frozen=True, slots=True)
class Month:
    """What a month of a scenario costs and brings, exactly.

    Every figure of a report is a sum of `lines` or a quotient of sums, so all of them agree.
    `known` is false where the scenario states nothing that costs or brings something in a month,
    such as one of packages of credits alone; its sums are then no figures of it.
    """

    name: str
    currency: str
    scale: Scale[Fraction]
    lines: tuple[Line, ...]
    revenue_lines: tuple[Line, ...]
    known: bool = True

    @property
    def cost(self) -> Money:
        """All costs of the month."""
        return self.total(self.lines)

    @property
    def token_cost(self) -> Money:
        """What calls cost, without the buffer."""
        return self.total(line for line in self.lines if line.of_tokens)

    @property
    def llm_cost(self) -> Money | None:
        """What tokens cost, lump sums for them included; None where nothing is known of them."""
        found = [line for line in self.lines if line.of_tokens or line.component == Category.LLM]
        return self.total(found) if found or (self.known and not self.lines) else None

    @property
    def revenue(self) -> Money:
        """All money that comes in."""
        return self.total(self.revenue_lines)

    @property
    def profit(self) -> Money:
        """What is left of the revenue."""
        return self.revenue - self.cost

    @property
    def margin(self) -> Fraction | None:
        """What is left as a part of the revenue, None without revenue."""
        revenue = self.revenue.sub_units
        return Fraction(self.profit.sub_units, revenue) if revenue else None

    def total(self, lines: Iterable[Line]) -> Money:
        """The sum of some lines."""
        return Money(sum(line.sub_units for line in lines), self.currency)

    def by(self, key: Callable[[Line], str]) -> dict[str, Money]:
        """The cost by whatever `key` says of a line, in the order of the lines."""
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[key(line)] = sums.get(key(line), 0) + line.sub_units
        return {name: Money(units, self.currency) for name, units in sums.items()}

    def each(self, amount: Money, count: Fraction | None) -> Fraction | None:
        """An amount for each of `count`, in whole units of the currency; None where there is none.

        >>> many = Fraction(5000)
        >>> month = Month("", "USD", Scale(many, None, Fraction(30), many), (), ())
        >>> month.each(Money.parse("8.02", "USD"), month.scale.sessions)
        Fraction(401, 250000)
        """
        return amount.fraction() / count if count else None


def month_of(
    scenario: Scenario,
    prices: PriceList,
    *,
    numbers: Means | None = None,
    number: int | None = None,
) -> Month:
    """The month of a scenario with every distribution at its mean.

    `number` is its number in the plan, from 0, which brings its growth and its season.

    Raises:
        BadPlan: a model or a meter has no price on the scenario's date.
    """
    exactly = numbers or Means()
    scale = scale_of(scenario, exactly, number)
    tokens = [*_merged(token_items(scenario, prices, exactly, scale))]
    spent = sum((item.amount for item in tokens), Fraction())
    others = [*cost_items(scenario, spent, exactly, scale)]
    currency = scenario.plan.currency
    return Month(
        scenario.plan.name,
        currency,
        scale,
        tuple(_line(item, currency) for item in (*tokens, *others)),
        tuple(_line(item, currency) for item in revenue_items(scenario, exactly, scale)),
        known=bool(scenario.feature or scenario.measured or scenario.cost or scenario.revenue),
    )


def check_known(month: Month) -> None:
    """Nothing: there is something to say of the month.

    Raises:
        BadPlan: nothing in its scenario is counted by month.
    """
    if not month.known:
        raise BadPlan(
            f'"{month.name}" plans no month, only packages of credits',
            remedy="Add a [[feature]] with its models, a [[measured]], or a [[cost]].",
        )


def ends_of(scenario: Scenario, prices: PriceList) -> tuple[Month, Month]:
    """The month with every uncertain number at its low end, and with every one at its high end.

    They are exact and no percentiles: that all numbers are at their ends at once is unlikely.
    """
    low = month_of(scenario, prices, numbers=Means(lambda quantity: quantity.low))
    high = month_of(scenario, prices, numbers=Means(lambda quantity: quantity.high))
    return low, high


def total_cost(
    scenario: Scenario, prices: PriceList, numbers: Arithmetic[N], month: int | None = None
) -> N:
    """All costs of a month in any arithmetic, in whole units of the plan's currency."""
    scale = scale_of(scenario, numbers, month)
    total = spent = token_cost(scenario, prices, numbers, scale)
    for item in cost_items(scenario, spent, numbers, scale):
        total = total + item.amount
    return total


def total_revenue(scenario: Scenario, numbers: Arithmetic[N], month: int | None = None) -> N:
    """All money that comes in in a month, in any arithmetic."""
    total = numbers.whole(0)
    for item in revenue_items(scenario, numbers, scale_of(scenario, numbers, month)):
        total = total + item.amount
    return total


def _merged(items: Iterable[Item[Fraction]]) -> Iterable[Item[Fraction]]:
    """One item for each feature, model, role and part: turns and caches added up."""
    sums: dict[tuple[str, str, Role | None, str], Item[Fraction]] = {}
    for item in items:
        key = item.feature, item.model, item.role, str(item.component)
        known = sums.get(key)
        if known is not None:
            tokens = None
            if known.tokens is not None and item.tokens is not None:
                tokens = known.tokens + item.tokens
            sums[key] = replace(known, amount=known.amount + item.amount, tokens=tokens)
        else:
            sums[key] = item
    return [item for item in sums.values() if item.amount or item.tokens]


def _line(item: Item[Fraction], currency: str) -> Line:
    sub_units = round_half_up(item.amount * currency_of(currency).sub_units)
    row = item.row
    return Line(
        item.feature,
        item.model,
        item.role,
        str(item.component),
        item.tokens,
        sub_units,
        row.id if row else "",
        row.source if row else "",
    )


def projection(scenario: Scenario, prices: PriceList) -> tuple[Month, ...]:
    """The months of the plan, each with its growth and its season."""
    return tuple(
        month_of(scenario, prices, number=number) for number in range(scenario.plan.months)
    )
