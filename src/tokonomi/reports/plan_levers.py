"""What stands beside a month: its ends, the same work by people, and what techniques save."""

from collections.abc import Sequence
from fractions import Fraction

from tokonomi.money import format_percent
from tokonomi.plan.energy import used
from tokonomi.plan.evaluate import Month
from tokonomi.plan.human import hands
from tokonomi.plan.savings import added, compounded
from tokonomi.plan.scenario import Energy, Human, Saving
from tokonomi.reports.plan_month import exactly, said
from tokonomi.reports.statement import Column, Kind, Note, Row, Statement
from tokonomi.reports.words import named, word


def ends(unit: str, *, low: Month, mean: Month, high: Month) -> Statement:
    """The cost with every uncertain number at its low end, at its mean, and at its high end."""
    currency = mean.currency
    months = (low, mean, high)
    counts = (
        ("month", [Fraction(1)] * len(months)),
        ("user", [month.scale.users for month in months]),
        (unit, [month.scale.sessions for month in months]),
    )
    rows: list[Row] = [
        (
            name,
            *(
                exactly(month.each(month.cost, count), currency)
                for month, count in zip(months, each, strict=True)
            ),
        )
        for name, each in counts
        if any(each)
    ]
    return Statement(
        title="ends of the cost",
        period=None,
        columns=(
            Column("for_each", "for each", Kind.WORD),
            Column("low", "all at their low ends", Kind.MONEY, currency),
            Column("mean", "at their means", Kind.MONEY, currency),
            Column("high", "all at their high ends", Kind.MONEY, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("for_each",),
        notes=(said(lambda locale: word("plan.ends", locale)),),
    )


def by_people(human: Human, month: Month, unit: str, *, days_per_month: int) -> Statement:
    """An item's cost by people, cheapest and dearest, beside the plan's."""
    currency = month.currency
    cost, items = month.cost.fraction(), month.scale.sessions
    assert items, "people are compared where there are sessions"
    pairs = zip(
        ("cheapest", "dearest"),
        hands(human, cost=cost, items=items, days_per_month=days_per_month),
        strict=True,
    )
    each = exactly(cost / items, currency)
    rows: list[Row] = [
        (
            name,
            found.monthly_cost,
            found.items_per_day,
            exactly(found.cost_per_item, currency),
            each,
            found.times,
            found.people,
        )
        for name, found in pairs
    ]
    return Statement(
        title="by people",
        period=None,
        columns=(
            Column("people", "people", Kind.WORD),
            Column("monthly_cost", "a month", Kind.MONEY, currency),
            Column("items_per_day", "items a day", Kind.NUMBER),
            Column("cost_per_item", "cost of an item", Kind.MONEY, currency),
            Column("plan_per_item", "by this plan", Kind.MONEY, currency),
            Column("times", "times", Kind.NUMBER, decimals=1),
            Column("needed", "people needed", Kind.NUMBER, decimals=1),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("people",),
        notes=(said(lambda locale: word("plan.by_people", locale, unit=named(unit, locale))),),
    )


def savings(techniques: Sequence[Saving], month: Month) -> Statement:
    """What each technique saves of the tokens, and all together, compounded."""
    cost = month.cost
    tokens = month.llm_cost or month.token_cost
    part = Fraction(tokens.sub_units, cost.sub_units) if cost.sub_units else Fraction()
    together = compounded(techniques)
    whole = together.of_the_whole(part)
    total = added(techniques)
    rows: list[Row] = [(each.name, each.share.low, each.share.high) for each in techniques]
    rows += [
        ("all together, of the tokens", together.low, together.high),
        ("all together, of the whole cost", whole.low, whole.high),
    ]
    notes = (
        _with_percents("plan.savings", low=total.low, high=total.high),
        _with_percents("plan.tokens_share", share=part),
    )
    return Statement(
        title="savings",
        period=None,
        columns=(
            Column("technique", "technique", Kind.WORD),
            Column("low", "from", Kind.SHARE),
            Column("high", "to", Kind.SHARE),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("technique",),
        notes=notes,
    )


def energy(stated: Energy, currency: str) -> Statement:
    """What machines make of electricity, and what that costs, each number at its mean."""
    found = used(stated)
    numbers: list[tuple[str, Fraction | None]] = [
        ("tokens a second", stated.tokens_per_second.mean),
        ("seconds of the run", found.seconds),
        ("tokens of the run", found.tokens),
        ("tokens a request", found.tokens_per_request),
        ("tokens a watt-second", found.tokens_per_joule),
        ("tokens a kilowatt-hour", found.tokens_per_kwh),
        ("tokens a unit of money", found.tokens_per_unit),
    ]
    amounts: list[tuple[str, Fraction | None]] = [
        ("energy of a token", found.cost_per_token),
        ("energy of a million tokens", found.cost_per_token * 10**6),
        ("energy of a request", found.cost_per_request),
    ]
    rows: list[Row] = [(name, each, None) for name, each in numbers if each is not None]
    rows += [(name, None, exactly(each, currency)) for name, each in amounts if each is not None]
    return Statement(
        title="energy",
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("value", "value", Kind.NUMBER),
            Column("cost", "cost", Kind.MONEY, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
    )


def _with_percents(key: str, **shares: Fraction) -> Note:
    return said(
        lambda locale: word(
            key,
            locale,
            **{name: format_percent(share, locale=locale) for name, share in shares.items()},
        )
    )
