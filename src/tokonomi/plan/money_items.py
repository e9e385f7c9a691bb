"""Amounts of a month that are no tokens: other costs, the buffer, and money that comes in."""

from collections.abc import Iterator, Mapping, Sequence

from tokonomi.errors import BadPlan
from tokonomi.plan.numbers import Arithmetic, N
from tokonomi.plan.price_list import converted
from tokonomi.plan.scenario import Category, Cost, Revenue, Scenario
from tokonomi.plan.workload import Item, Scale

ALL_TOKENS = "llm"
"""What a percentage of all tokens is a percentage of: the priced ones, and lump sums for others."""

BUFFER = "buffer"


def cost_items(
    scenario: Scenario, tokens: N, numbers: Arithmetic[N], scale: Scale[N]
) -> Iterator[Item[N]]:
    """The buffer on the cost of tokens, and every other cost of the scenario."""
    whole = tokens
    for cost in scenario.cost:
        if is_lump_sum(cost):
            whole = whole + _amount(cost, {}, scenario, numbers, scale=scale)
    if scenario.plan.buffer.high > 0:
        yield Item(BUFFER, BUFFER, whole * numbers.of(scenario.plan.buffer))
    amounts: dict[str, N] = {ALL_TOKENS: whole}
    for cost in in_order(scenario.cost):
        amounts[cost.name] = _amount(cost, amounts, scenario, numbers, scale=scale)
    for cost in scenario.cost:
        yield Item(cost.name, cost.category, amounts[cost.name])


def is_lump_sum(cost: Cost) -> bool:
    """Whether it stands for tokens that the scenario does not count."""
    return cost.category is Category.LLM and cost.percent is None


def revenue_items(scenario: Scenario, numbers: Arithmetic[N], scale: Scale[N]) -> Iterator[Item[N]]:
    """Money that comes in, by its name."""
    for each in scenario.revenue:
        amount = numbers.of(each.price) * numbers.of(each.share) * _count(each, scale, numbers)
        currency = each.currency or scenario.plan.currency
        yield Item(each.name, "revenue", converted(amount, currency, scenario, numbers))


def in_order(costs: Sequence[Cost]) -> list[Cost]:
    """The costs, each after those of which it is a percentage.

    Raises:
        BadPlan: a cost is a percentage of itself, round some corners or straight.
    """
    by_name = {cost.name: cost for cost in costs}
    done: dict[str, Cost] = {}
    for cost in costs:
        _visit(cost, by_name, done, path=())
    return [*done.values()]


def _visit(
    cost: Cost, by_name: Mapping[str, Cost], done: dict[str, Cost], *, path: tuple[str, ...]
) -> None:
    if cost.name in done:
        return
    if cost.name in path:
        round_trip = " -> ".join([*path[path.index(cost.name) :], cost.name])
        raise BadPlan(
            f"costs are percentages of each other in a circle: {round_trip}",
            remedy="State one of them as an amount.",
        )
    for name in cost.of:
        if name in by_name:
            _visit(by_name[name], by_name, done, path=(*path, cost.name))
    done[cost.name] = cost


def _amount(
    cost: Cost,
    amounts: Mapping[str, N],
    scenario: Scenario,
    numbers: Arithmetic[N],
    *,
    scale: Scale[N],
) -> N:
    if cost.percent is not None:
        whole = numbers.whole(0)
        for name in cost.of:
            whole = whole + amounts[name]
        return whole * numbers.of(cost.percent)
    if cost.hours is not None and cost.wage is not None:
        one = numbers.of(cost.hours) * numbers.of(cost.wage)
    else:
        assert cost.amount is not None, "the checks ask for it"
        one = numbers.of(cost.amount)
    amount = one * numbers.of(cost.share) * _count(cost, scale, numbers)
    return converted(amount, cost.currency or scenario.plan.currency, scenario, numbers)


def _count(each: Cost | Revenue, scale: Scale[N], numbers: Arithmetic[N]) -> N:
    """How often it occurs in a month."""
    match each.per:
        case "month":
            return numbers.whole(1)
        case "day":
            return scale.days
        case "session":
            assert scale.sessions is not None, "the checks ask for it"
            return scale.sessions
        case "call":
            assert scale.calls is not None, "the checks ask for it"
            return scale.calls
        case "user":
            assert scale.users is not None, "the checks ask for it"
            return scale.users
        case "once":
            assert isinstance(each, Cost), "money does not come in once"
            over = scale.month >= each.spread_months
            return numbers.whole(0 if over else 1) / each.spread_months


STACK = (
    Category.ENGINEERING,
    Category.INFRASTRUCTURE,
    Category.MONITORING,
    Category.EVALUATION,
    Category.EMBEDDINGS,
    Category.VECTOR_DATABASE,
    Category.HUMAN_REVIEW,
)
"""The layers of a full stack beside tokens, which a plan without them must name."""


def left_out(scenario: Scenario) -> tuple[Category, ...]:
    """The layers of the full stack of which the scenario says nothing."""
    present = {cost.category for cost in scenario.cost}
    return tuple(layer for layer in STACK if layer not in present)
