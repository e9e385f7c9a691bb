"""Scenarios side by side: what each costs, for each of what, and by component."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tokonomi.errors import BadPlan, WrongUsage
from tokonomi.money import Money
from tokonomi.plan.evaluate import Line, Month, check_known
from tokonomi.plan.money_items import BUFFER
from tokonomi.plan.scenario import Scenario
from tokonomi.reports.plan_month import exactly, notes_of, unit_of
from tokonomi.reports.statement import Cell, Column, Kind, Note, Row, Statement

MOST: Final = 8
"""Scenarios that one table compares; more are no comparison but a list."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A scenario's month under a name that no other of the comparison has."""

    name: str
    scenario: Scenario
    month: Month

    @property
    def unit(self) -> str | None:
        """What one session of it is called, None where it counts none."""
        return unit_of(self.scenario) if self.month.scale.sessions else None


def distinct(scenarios: Sequence[tuple[Scenario, Month]]) -> tuple[Compared, ...]:
    """The scenarios with their months; a name that occurs twice gets a number.

    Raises:
        WrongUsage: fewer than two, or more than `MOST`.
        BadPlan: their currencies differ, or nothing is known of a month of one.
    """
    if not 1 < len(scenarios) <= MOST:
        raise WrongUsage(
            f"{len(scenarios)} scenarios are compared",
            remedy=f"Name two to {MOST}: the first, and others with --compare.",
        )
    for _, month in scenarios:
        check_known(month)
    currencies = list(dict.fromkeys(month.currency for _, month in scenarios))
    if len(currencies) > 1:
        raise BadPlan(
            f"the scenarios are in {' and '.join(currencies)}, which do not compare",
            remedy=f'State plan.currency = "{currencies[0]}" in each, with an [[exchange]].',
        )
    found: list[Compared] = []
    for scenario, month in scenarios:
        name = scenario.plan.name
        taken = {each.name for each in found}
        free = (f"{name} ({number})" for number in range(2, MOST + 2))
        unlike = name if name not in taken else next(each for each in free if each not in taken)
        found.append(Compared(unlike, scenario, month))
    return tuple(found)


def comparison(scenarios: Sequence[Compared]) -> Statement:
    """What a month of each costs and leaves, and what that is against the first."""
    first = scenarios[0].month
    currency = first.currency
    rows: list[Row] = []
    for each in scenarios:
        month, tokens = each.month, each.month.llm_cost
        earns = bool(month.revenue_lines)
        rows.append(
            (
                each.name,
                each.unit,
                month.scale.sessions,
                month.cost.fraction(),
                None if tokens is None else tokens.fraction(),
                exactly(month.each(month.cost, month.scale.sessions), currency),
                month.revenue.fraction() if earns else None,
                month.profit.fraction() if earns else None,
                month.margin,
                *_against(first, month, same=each is scenarios[0]),
            )
        )
    money = Kind.MONEY
    return Statement(
        title="scenarios compared",
        period=None,
        columns=(
            Column("scenario", "scenario", Kind.TEXT),
            Column("unit", "unit", Kind.WORD, leaves=1, optional=True),
            Column("sessions", "a month", Kind.NUMBER, leaves=2, optional=True),
            Column("cost", "cost", money, currency),
            Column("tokens_alone", "tokens alone", money, currency, leaves=0),
            Column("each", "each", money, currency, optional=True),
            Column("revenue", "revenue", money, currency, optional=True),
            Column("profit", "gross profit", money, currency, optional=True),
            Column("margin", "margin", Kind.SHARE, optional=True),
            Column("change", "against the first", money, currency, signed=True),
            Column("change_share", "in percent", Kind.SHARE, signed=True),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("scenario",),
    )


def _against(first: Month, month: Month, *, same: bool) -> tuple[Cell, Cell]:
    """The difference to the first month's cost, as an amount and as a part of it."""
    if same:
        return None, None
    change, before = month.cost - first.cost, first.cost.sub_units
    return change.fraction(), Fraction(change.sub_units, before) if before else None


def components_compared(scenarios: Sequence[Compared]) -> Statement:
    """The cost of each component in each scenario; the columns are the scenarios."""
    currency = scenarios[0].month.currency
    costs = [each.month.by(lambda line: line.component) for each in scenarios]
    names = dict.fromkeys(name for cost in costs for name in cost)
    rows = [
        (name, *(cost[name].fraction() if name in cost else None for cost in costs))
        for name in names
    ]
    totals = ("", *(each.month.cost.fraction() for each in scenarios))
    return Statement(
        title="components compared",
        period=None,
        columns=(
            Column("component", "component", Kind.WORD),
            *(
                Column(_column_name(each.name), each.name, Kind.MONEY, currency)
                for each in scenarios
            ),
        ),
        rows=tuple(rows),
        totals=totals,
        dimensions=("component",),
    )


def basis(compared: Compared, dated: Sequence[Note] = ()) -> Statement:
    """The prices that a scenario's month is made of, with all that must be said of it.

    `dated` are the notes on the date of its prices.
    """
    month, currency = compared.month, compared.month.currency
    sums: dict[tuple[str, str, str], int] = {}
    for line in month.lines:
        key = _basis_of(line)
        sums[key] = sums.get(key, 0) + line.sub_units
    whole = month.cost.sub_units
    rows: list[Row] = [
        (*key, Money(units, currency).fraction(), Fraction(units, whole) if whole else None)
        for key, units in sorted(sums.items(), key=lambda each: (-each[1], each[0]))
    ]
    return Statement(
        title="prices and what is not included",
        subject=compared.name,
        period=None,
        columns=(
            Column("model", "model", Kind.WORD),
            Column("price_row", "price row", Kind.WORD, leaves=1),
            Column("source", "source", Kind.WORD, leaves=0),
            Column("cost", "cost", Kind.MONEY, currency),
            Column("share", "share", Kind.SHARE),
        ),
        rows=tuple(rows),
        totals=("", None, None, month.cost.fraction(), Fraction(1) if whole else None),
        dimensions=("model",),
        notes=(*notes_of(compared.scenario, month), *dated),
    )


def _basis_of(line: Line) -> tuple[str, str, str]:
    """The model, the price row and the source of a line.

    What no price row prices stands under its component, as in the table of components.
    """
    if line.of_tokens:
        return line.model, line.row_id, line.source
    told = "a part of the cost of tokens" if line.component == BUFFER else "stated in the scenario"
    return line.component, "", told


def _column_name(scenario: str) -> str:
    """A scenario's name as data know its column, unlike that of the components."""
    return f"{scenario} (scenario)" if scenario == "component" else scenario
