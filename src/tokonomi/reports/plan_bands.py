"""What a month may cost: percentiles, chances, months ahead, and what moves it.

Figures from draws are estimates, rounded to what a reader is shown of the currency; the costs of
the tornado are exact.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from tokonomi.money import Locale, currency_of, format_amount, format_number
from tokonomi.plan.influence import Influence
from tokonomi.plan.required import Required
from tokonomi.plan.sampling import Array
from tokonomi.plan.scenario import Scenario
from tokonomi.plan.simulate import Simulation, percentile_of
from tokonomi.plan.tornado import Swing
from tokonomi.reports.plan_month import exactly, said
from tokonomi.reports.statement import Column, Kind, Note, Row, Statement
from tokonomi.reports.words import word

PERCENTILES = (10, 50, 90)
SHARE_DIGITS = 10**6
_LARGE = 10


def estimate(value: float, currency: str) -> Fraction:
    """An estimated amount, with no more decimals than readers are shown."""
    unit = 10 ** currency_of(currency).decimals
    return Fraction(round(value * unit), unit)


def chance(value: float) -> Fraction:
    """An estimated share, to a millionth."""
    return Fraction(round(value * SHARE_DIGITS), SHARE_DIGITS)


def _percentile_columns(currency: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"p{percent}", f"P{percent}", Kind.MONEY, currency) for percent in PERCENTILES
    )


def _percentiles(values: Array, currency: str) -> tuple[Fraction, ...]:
    return tuple(estimate(percentile_of(values, percent), currency) for percent in PERCENTILES)


def bands(simulation: Simulation, currency: str, *, seed: int) -> Statement:
    """The tenth, the middle and the ninetieth percentile of cost and profit, and the mean."""
    measured = [("cost", simulation.costs)]
    if (profits := simulation.profits) is not None:
        measured.append(("gross profit", profits))
    rows: list[Row] = [
        (name, *_percentiles(values, currency), estimate(float(values.mean()), currency))
        for name, values in measured
    ]
    return Statement(
        title="bands of a month",
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            *_percentile_columns(currency),
            Column("mean", "mean", Kind.MONEY, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
        notes=(Note("estimate", {"draws": len(simulation.costs), "seed": str(seed)}),),
    )


def chances(scenario: Scenario, simulation: Simulation) -> Statement | None:
    """How probable it is that a month passes its budget or makes a loss; None with neither."""
    currency = scenario.plan.currency
    rows: list[Row] = []
    if (budget := scenario.plan.budget) is not None:
        above = chance(simulation.chance_above(float(budget.mean)))
        rows.append(("over the budget", budget.mean, above))
    if (profits := simulation.profits) is not None:
        rows.append(("at a loss", None, chance(float((profits < 0).mean()))))
    if not rows:
        return None
    return Statement(
        title="chances",
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("amount", "amount", Kind.MONEY, currency),
            Column("chance", "chance", Kind.SHARE),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
    )


def fan(months: Sequence[Simulation], currency: str) -> Statement:
    """The percentiles of each month ahead."""
    return Statement(
        title="bands of the months",
        period=None,
        columns=(Column("month", "month", Kind.COUNT), *_percentile_columns(currency)),
        rows=tuple(
            (number, *_percentiles(month.costs, currency)) for number, month in enumerate(months, 1)
        ),
        totals=(),
        dimensions=("month",),
        notes=(Note("estimate_of_months", {"draws": len(months[0].costs)}),),
    )


def tornado(swings: Sequence[Swing], currency: str) -> Statement:
    """What each number does to the cost, at its tenth and its ninetieth percentile."""
    number, money = Kind.NUMBER, Kind.MONEY
    large = all(abs(end) >= _LARGE for each in swings for end in (each.low, each.high))
    decimals = 0 if large else 3
    rows: list[Row] = [
        (
            each.path,
            each.low,
            each.high,
            exactly(each.cost_at_low, currency),
            exactly(each.cost_at_high, currency),
            exactly(each.span, currency),
        )
        for each in swings
    ]
    return Statement(
        title="what moves the cost",
        period=None,
        columns=(
            Column("path", "number", Kind.TEXT),
            Column("low", "its P10", number, decimals=decimals, leaves=0),
            Column("high", "its P90", number, decimals=decimals, leaves=0),
            Column("cost_at_low", "cost at P10", money, currency),
            Column("cost_at_high", "cost at P90", money, currency),
            Column("span", "span", money, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("path",),
        notes=(said(lambda locale: word("plan.one_at_a_time", locale)),),
    )


def influences(found: Sequence[Influence]) -> Statement:
    """Each number's part of the variance of the cost."""
    rows: list[Row] = [(each.path, chance(each.alone), chance(each.in_all)) for each in found]
    return Statement(
        title="shares of the variance",
        period=None,
        columns=(
            Column("path", "number", Kind.TEXT),
            Column("alone", "alone", Kind.SHARE),
            Column("in_all", "with others", Kind.SHARE),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("path",),
        notes=(said(lambda locale: word("plan.sobol", locale)),),
    )


def required(found: Required, whole: Fraction, currency: str, target: Fraction) -> Statement:
    """The value that reaches a target; `whole` is the amount at the last whole number before it."""
    last = floor(found.value)
    rows: list[Row] = [
        ("now", found.now, None),
        ("at the target", found.value, exactly(found.reached, currency)),
        ("at the whole number below", Fraction(last), exactly(whole, currency)),
    ]
    return Statement(
        title="required value",
        subject=found.path,
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("value", "value", Kind.NUMBER, decimals=2),
            Column("amount", "amount", Kind.MONEY, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
        notes=(
            said(
                lambda locale: word(
                    "plan.target", locale, target=format_amount(target, currency, locale)
                )
            ),
        ),
    )


def number_text(value: Fraction, locale: Locale) -> str:
    """A number of a scenario as a label of a picture: three digits that say something."""
    for decimals in (0, 1, 2, 3):
        if abs(value) * 10**decimals >= 100:  # noqa: PLR2004 - three digits
            return format_number(value, decimals=decimals, locale=locale)
    return format_number(value, decimals=3, locale=locale)
