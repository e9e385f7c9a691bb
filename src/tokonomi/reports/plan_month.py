"""A plan's month as statements: what it costs for each of what, and where the money goes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import Final

from tokonomi.money import Locale, Money, currency_of, round_half_up
from tokonomi.plan.evaluate import Line, Month
from tokonomi.plan.money_items import left_out
from tokonomi.plan.scenario import Scenario
from tokonomi.reports.statement import Cell, Column, Kind, Note, Row, Statement
from tokonomi.reports.words import named, word

_INPUTS: Final = frozenset(
    {"system prompt", "message", "history", "retrieved text", "tool results"}
)
LOCALES: Final[tuple[Locale, ...]] = ("en", "id")


def exactly(amount: Fraction | None, currency: str) -> Fraction | None:
    """An amount rounded half-up to a sub-unit of its currency, so that its decimals end.

    >>> exactly(Fraction(1, 3), "USD")
    Fraction(333333333333, 1000000000000)
    """
    if amount is None:
        return None
    units = currency_of(currency).sub_units
    return Fraction(round_half_up(amount * units), units)


def said(text: Callable[[Locale], str]) -> Note:
    """A note that is the same text in each language."""
    return Note("said", {locale: text(locale) for locale in LOCALES})


def unit_of(scenario: Scenario) -> str:
    """What one session of the scenario is called."""
    volume = scenario.volume
    if volume.unit is not None:
        return volume.unit
    if volume.queries_per_day is not None:
        return "query"
    return "call" if volume.calls_per_day is not None else "session"


def dating(at: date, undated: Sequence[str], *, today: date) -> tuple[Note, ...]:
    """What must be said of a date that no price is known to hold on."""
    on, notes = at.isoformat(), list[Note]()
    if undated:
        notes.append(Note("undated_prices", {"on": on, "models": ", ".join(undated)}))
    if at > today:
        notes.append(Note("future_prices", {"on": on, "today": today.isoformat()}))
    return tuple(notes)


def summary(scenario: Scenario, month: Month, dated: Sequence[Note] = ()) -> Statement:
    """What a month costs, and each user, session and call; with all that must be said.

    Of a month of which nothing is known there are the notes alone.
    `dated` are the notes on the date of its prices.
    """
    currency = month.currency
    scale, unit = month.scale, unit_of(scenario)
    counts: list[tuple[str, Fraction | None]] = [("month", Fraction(1)), ("user", scale.users)]
    counts.append((unit, scale.sessions))
    if scale.calls != scale.sessions:
        counts.append(("call", scale.calls))
    tokens, cost, nothing = month.llm_cost, month.cost, not month.known
    rows = tuple(
        (
            name,
            count,
            exactly(month.each(cost, count), currency),
            None if tokens is None else exactly(month.each(tokens, count), currency),
        )
        for name, count in counts
        if count and month.known
    )
    return Statement(
        title="cost of a month" if month.known else "prices and what is not included",
        subject=scenario.plan.name,
        period=None,
        columns=(
            Column("for_each", "for each", Kind.WORD),
            Column("count", "count", Kind.NUMBER, optional=nothing),
            Column("cost", "cost", Kind.MONEY, currency, optional=nothing),
            Column(
                "tokens_alone", "tokens alone", Kind.MONEY, currency, leaves=1, optional=nothing
            ),
        ),
        rows=rows,
        totals=(),
        dimensions=("for_each",),
        notes=(*notes_of(scenario, month), *dated),
    )


def notes_of(scenario: Scenario, month: Month) -> Iterator[Note]:
    """What must be said of a month: what it leaves out, its own notes, prices and rates."""
    layers = left_out(scenario)
    if layers:
        yield said(
            lambda locale: word(
                "plan.left_out", locale, layers=", ".join(named(each, locale) for each in layers)
            )
        )
    notes = scenario.plan.notes
    for number, text in enumerate(notes.en):
        other = notes.id[number] if number < len(notes.id) else text
        yield Note("said", {"en": text, "id": other})
    if month.token_cost.sub_units:
        yield Note("prices_of", {"on": scenario.plan.at.isoformat()})
    for each in scenario.exchange:
        figures = {"base": each.base, "quote": each.quote, "rate": each.rate.text}
        yield Note("converted", {**figures, "on": each.on.isoformat(), "source": each.source})


def models(month: Month, unit: str) -> Statement:
    """Tokens and cost by model; what is no model's stands apart."""
    lines = [line for line in month.lines if line.of_tokens]
    key = ("model", Kind.TEXT)
    return _grouped("cost by model", month, lines, key, lambda line: line.model, unit=unit)


def components(month: Month, unit: str) -> Statement:
    """Tokens and cost by part of the calls and by layer of the stack."""
    return _grouped(
        "cost by component",
        month,
        month.lines,
        ("component", Kind.WORD),
        lambda line: line.component,
        unit=unit,
    )


def features(month: Month, unit: str) -> Statement:
    """Tokens and cost by feature, and other costs by their names."""
    key = ("feature", Kind.WORD)
    return _grouped(
        "cost by feature", month, month.lines, key, lambda line: line.feature, unit=unit
    )


def _grouped(
    title: str,
    month: Month,
    lines: Sequence[Line],
    key: tuple[str, Kind],
    name_of: Callable[[Line], str],
    *,
    unit: str,
) -> Statement:
    name, kind = key
    names = dict.fromkeys(name_of(line) for line in lines)
    whole = month.total(lines)
    rows = [
        (each, *_sums([line for line in lines if name_of(line) == each], month, whole))
        for each in names
    ]
    rows.sort(key=lambda row: row[3], reverse=True)
    currency = month.currency
    return Statement(
        title=title,
        period=None,
        columns=(
            Column(name, name, kind),
            Column("input", "input", Kind.NUMBER, "tokens", optional=True, leaves=2),
            Column("output", "output", Kind.NUMBER, "tokens", optional=True, leaves=1),
            Column("cost", "cost", Kind.MONEY, currency),
            Column("share", "share", Kind.SHARE),
            Column("each", f"each {unit}", Kind.MONEY, currency, optional=True, leaves=0),
        ),
        rows=tuple(rows),
        totals=("", *_sums(lines, month, whole)),
        dimensions=(name,),
    )


def _sums(
    lines: Sequence[Line], month: Month, whole: Money
) -> tuple[Fraction | None, Fraction | None, Fraction, Fraction | None, Fraction | None]:
    cost = month.total(lines)
    share = Fraction(cost.sub_units, whole.sub_units) if whole.sub_units else None
    given = _tokens(line for line in lines if line.component in _INPUTS)
    made = _tokens(line for line in lines if line.component not in _INPUTS)
    each = exactly(month.each(cost, month.scale.sessions), month.currency)
    return given, made, cost.fraction(), share, each


def _tokens(lines: Iterable[Line]) -> Fraction | None:
    counts = [line.tokens for line in lines if line.tokens is not None]
    return sum(counts, Fraction()) if counts else None


def line_items(scenario: Scenario, month: Month) -> Statement:
    """Every line of the month, the atoms that all other tables add up."""
    currency = month.currency
    rows: tuple[Row, ...] = tuple(
        (
            line.feature,
            line.model,
            line.role or "",
            line.component,
            line.tokens,
            Money(line.sub_units, currency).fraction(),
            line.row_id,
            line.source,
        )
        for line in month.lines
    )
    total: Row = ("", None, None, None, None, month.cost.fraction(), None, None)
    return Statement(
        title="lines",
        subject=scenario.plan.name,
        period=None,
        columns=(
            Column("feature", "feature", Kind.WORD),
            Column("model", "model", Kind.WORD),
            Column("role", "role", Kind.WORD),
            Column("component", "component", Kind.WORD),
            Column("tokens", "tokens", Kind.NUMBER, "tokens"),
            Column("cost", "cost", Kind.MONEY, currency),
            Column("price_row", "price row", Kind.WORD, leaves=1),
            Column("source", "source", Kind.WORD, leaves=0),
        ),
        rows=rows,
        totals=total,
        dimensions=("feature",),
    )


def revenue(month: Month) -> Statement:
    """What comes in, what goes out, what is left, and the margin."""
    currency = month.currency
    rows: list[Row] = [
        (line.feature, Money(line.sub_units, currency).fraction(), None)
        for line in month.revenue_lines
    ]
    rows += [
        ("cost", month.cost.fraction(), None),
        ("gross profit", month.profit.fraction(), month.margin),
    ]
    return Statement(
        title="revenue and margin",
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("amount", "amount", Kind.MONEY, currency),
            Column("margin", "margin", Kind.SHARE),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
    )


def projected(months: Sequence[Month]) -> Statement:
    """The months of the plan, with growth and seasons."""
    currency = months[0].currency
    rows: list[tuple[Cell, ...]] = []
    for number, month in enumerate(months, 1):
        comes_in = month.revenue.fraction() if month.revenue_lines else None
        left = month.profit.fraction() if month.revenue_lines else None
        rows.append((number, month.scale.sessions, month.cost.fraction(), comes_in, left))
    cost = sum((month.cost.fraction() for month in months), Fraction())
    comes_in = sum((month.revenue.fraction() for month in months), Fraction())
    earns = any(month.revenue_lines for month in months)
    totals = (None, None, cost, comes_in if earns else None, comes_in - cost if earns else None)
    return Statement(
        title="months",
        period=None,
        columns=(
            Column("month", "month", Kind.COUNT),
            Column("sessions", "sessions", Kind.NUMBER, optional=True),
            Column("cost", "cost", Kind.MONEY, currency),
            Column("revenue", "revenue", Kind.MONEY, currency, optional=True),
            Column("profit", "gross profit", Kind.MONEY, currency, optional=True),
        ),
        rows=tuple(rows),
        totals=totals,
        dimensions=("month",),
    )
