"""The pictures of a plan, from its figures. They need the extra `charts`."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from tokonomi.charts.bars import Piece, Step, Swing, stacked, tornado, waterfall
from tokonomi.charts.curves import Axes, Band, Point, fan, lines
from tokonomi.charts.draw import svg
from tokonomi.money import Locale, format_amount
from tokonomi.plan import tornado as plan_tornado
from tokonomi.plan.build_or_buy import End, Machines, crossovers, machines_at
from tokonomi.plan.credit_costs import Shop
from tokonomi.plan.evaluate import Month
from tokonomi.plan.scenario import Scenario, SelfHost
from tokonomi.plan.simulate import Simulation, percentile_of
from tokonomi.reports.forms.html import Figure
from tokonomi.reports.plan_bands import PERCENTILES, number_text
from tokonomi.reports.plan_build import price_of_a_request
from tokonomi.reports.plan_compare import Compared
from tokonomi.reports.words import named, word

MOST: Final = 9
"""Parts that a picture shows one by one; the smallest others are one part."""
STEPS: Final = 20
STAIRS: Final = 4
BEFORE: Final = 4
STRONGEST: Final = 10


def parts_of(month: Month, locale: Locale) -> list[tuple[str, Fraction]]:
    """The cost by component, the dearest first, the smallest as one."""
    return _few(_costs(month), dearest(month), locale)


def dearest(*months: Month) -> list[str]:
    """The components that cost most in all of the months together."""
    sums: dict[str, Fraction] = {}
    for month in months:
        for name, cost in _costs(month).items():
            sums[name] = sums.get(name, Fraction()) + cost
    return sorted(sums, key=lambda name: sums[name], reverse=True)[:MOST]


def _costs(month: Month) -> dict[str, Fraction]:
    by_component = month.by(lambda line: line.component)
    return {name: cost.fraction() for name, cost in by_component.items() if cost.sub_units}


def _few(
    costs: Mapping[str, Fraction], shown: Sequence[str], locale: Locale
) -> list[tuple[str, Fraction]]:
    """The shown components, and all others as one."""
    found = [(named(name, locale), costs[name]) for name in shown if name in costs]
    rest = [cost for name, cost in costs.items() if name not in shown]
    if rest:
        found.append((word("figure.other", locale), sum(rest, Fraction())))
    return found


def cost_figure(month: Month, locale: Locale) -> Figure:
    """How the parts add up to the cost, and what is left of the revenue where there is one."""
    steps = [Step(name, float(cost)) for name, cost in parts_of(month, locale)]
    steps.append(Step(word("cost", locale), float(month.cost.fraction()), total=True))
    if month.revenue_lines:
        steps.append(Step(word("revenue", locale), float(month.revenue.fraction()), total=True))
        steps.append(Step(word("gross profit", locale), float(month.profit.fraction()), total=True))
    labels = [_label(step.amount, month.currency, locale) for step in steps]
    drawn = svg(waterfall(steps, labels), currency=month.currency, locale=locale)
    return Figure(drawn, word("figure.cost", locale))


def _label(amount: float, currency: str, locale: Locale) -> str:
    return format_amount(Fraction(amount), currency, locale)


def comparison_figure(scenarios: Sequence[Compared], locale: Locale) -> Figure:
    """The components of each scenario as one bar."""
    shown = dearest(*(each.month for each in scenarios))
    pieces = [
        Piece(each.name, name, float(cost))
        for each in scenarios
        for name, cost in _few(_costs(each.month), shown, locale)
    ]
    names = [*(named(name, locale) for name in shown), word("figure.other", locale)]
    drawn = svg(stacked(pieces, names), currency=scenarios[0].month.currency, locale=locale)
    return Figure(drawn, word("figure.comparison", locale))


def tornado_figure(swings: Sequence[plan_tornado.Swing], month: Month, locale: Locale) -> Figure:
    """The numbers that move the cost most."""
    moved = [
        Swing(
            each.path,
            float(each.cost_at_low),
            float(each.cost_at_high),
            number_text(each.low, locale),
            number_text(each.high, locale),
        )
        for each in swings[:STRONGEST]
    ]
    effects = word("figure.lowers", locale), word("figure.raises", locale)
    chart = tornado(moved, float(month.cost.fraction()), effects)
    drawn = svg(chart, currency=month.currency, locale=locale)
    return Figure(drawn, word("figure.tornado", locale))


def fan_figure(scenario: Scenario, months: Sequence[Simulation], locale: Locale) -> Figure:
    """The percentiles of the months ahead, with the budget where there is one."""
    bands = [
        Band(number, *(percentile_of(month.costs, percent) for percent in PERCENTILES))
        for number, month in enumerate(months, 1)
    ]
    budget = scenario.plan.budget
    chart = fan(
        bands,
        month=word("month", locale),
        budget=None if budget is None else float(budget.mean),
    )
    drawn = svg(chart, currency=scenario.plan.currency, locale=locale)
    return Figure(drawn, word("figure.fan", locale))


def crossover_figure(stated: SelfHost, month: Month, locale: Locale) -> Figure:
    """A month by the interface and by own machines over the requests a minute."""
    price, days = price_of_a_request(month), int(month.scale.days)
    by_end = {end: machines_at(stated, end, days=days) for end in End}
    low, high = shown_requests(by_end.values(), price)
    points: list[Point] = []
    for rate in (low, high):
        cost = rate * by_end[End.MEAN].requests_of_a_minute * price
        points.append(Point(named("interface", locale), float(rate), float(cost)))
    for end, machines in by_end.items():
        name = f"{named('machines', locale)}, {named(end, locale)}"
        stairs = machines.stairs(low, high)
        # What costs nothing has no place on a scale of orders of magnitude.
        points += [Point(name, float(rate), float(cost)) for rate, cost in stairs if cost]
    chart = lines(points, x=named("requests a minute", locale), axes=Axes.ORDERS)
    drawn = svg(chart, currency=month.currency, locale=locale)
    return Figure(drawn, word("figure.crossover", locale))


def shown_requests(every: Iterable[Machines], price: Fraction) -> tuple[Fraction, Fraction]:
    """The requests a minute between which all that matters of these machines is to be seen.

    That is where they become cheaper, the last time too, and the step behind that; and always some
    steps, so that the stairway shows.
    """
    starts, ends = list[Fraction](), list[Fraction]()
    for each in every:
        found = crossovers(each, price)
        first = found[0].low if found else each.sustained
        starts.append(min(first, each.sustained) or each.sustained)
        last = each.needed(found[-1].low) if found else 1
        ends.append(min(max(last + 1, STAIRS), each.most) * each.sustained)
    return min(starts) / BEFORE, max(ends)


def margin_figure(shop: Shop, locale: Locale) -> Figure:
    """The margin of the first package over the share of output, a line for each model."""
    package = shop.packages[0]
    revenue = shop.revenue(package)
    points = [
        Point(model, step / STEPS, float((revenue - cost) / revenue))
        for model in shop.models
        for step in range(STEPS + 1)
        for cost in (shop.cost(package, model, Fraction(step, STEPS)).total,)
    ]
    chart = lines(points, x=word("output", locale), axes=Axes.SHARES)
    drawn = svg(chart, currency=shop.scenario.plan.currency, locale=locale)
    return Figure(drawn, word("figure.margin", locale, package=package.name))
