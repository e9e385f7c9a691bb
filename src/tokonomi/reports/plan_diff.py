"""What a change of a scenario does to its month: for pull requests."""

from collections.abc import Sequence
from fractions import Fraction

from tokonomi.errors import BadPlan
from tokonomi.money import Money
from tokonomi.plan.differences import Difference
from tokonomi.plan.evaluate import Month, check_known
from tokonomi.reports.plan_month import said
from tokonomi.reports.statement import Column, Kind, Row, Statement
from tokonomi.reports.words import word

STATED_NOTHING = "–"  # noqa: RUF001 - the dash that tables have for nothing


def changed_costs(before: Month, after: Month) -> Statement:
    """The month's cost, and each component whose cost changed.

    Raises:
        BadPlan: their currencies differ, or nothing is known of one of them.
    """
    for month in (before, after):
        check_known(month)
    currency = after.currency
    if before.currency != currency:
        raise BadPlan(
            f"one plan is in {before.currency}, the other in {currency}",
            remedy="State plan.currency in both.",
        )
    old, new = (month.by(lambda line: line.component) for month in (before, after))
    none = Money(0, currency)
    rows: list[Row] = [_row("month", before.cost, after.cost)]
    for name in dict.fromkeys((*old, *new)):
        was, becomes = old.get(name, none), new.get(name, none)
        if was != becomes:
            rows.append(_row(name, was, becomes))
    return Statement(
        title="changed costs",
        subject=after.name,
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("before", "before", Kind.MONEY, currency),
            Column("after", "after", Kind.MONEY, currency),
            Column("change", "change", Kind.MONEY, currency, signed=True),
            Column("change_share", "in percent", Kind.SHARE, signed=True),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
    )


def _row(name: str, before: Money, after: Money) -> Row:
    change = (after - before).sub_units
    share = Fraction(change, before.sub_units) if before.sub_units else None
    return (
        name,
        before.fraction(),
        after.fraction(),
        Money(change, after.currency).fraction(),
        share,
    )


def changed_inputs(found: Sequence[Difference]) -> Statement:
    """The values that changed, by their paths."""
    rows: list[Row] = [
        (each.path, each.before or STATED_NOTHING, each.after or STATED_NOTHING) for each in found
    ]
    return Statement(
        title="changed inputs",
        period=None,
        columns=(
            Column("path", "path", Kind.TEXT),
            Column("before", "before", Kind.TEXT),
            Column("after", "after", Kind.TEXT),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("path",),
        notes=() if rows else (said(lambda locale: word("plan.nothing_changed", locale)),),
    )
