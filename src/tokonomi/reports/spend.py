"""The spend report: what calls cost, by any dimensions, as a statement."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

import ibis.expr.types as ir

from tokonomi.errors import WrongUsage
from tokonomi.money import CURRENCIES, ExchangeRate, Money
from tokonomi.reports.dimensions import METER
from tokonomi.reports.query import KEY_PREFIX, Query, groups, key_name, selected, totals
from tokonomi.reports.statement import Cell, Column, Kind, Note, Other, Statement, exact_decimal
from tokonomi.storage.analytics import exact_sum, fetch, open_calls
from tokonomi.storage.location import Location

LARGEST: Final = 100_000
"""Rows of the largest statement; a statement is read into memory, so there must be a limit."""

Sums = Mapping[str, Any]
"""One row of `query.groups` or `query.totals`."""

_MONEY: Final = ("cost", "estimated", "billed", "exposure")
_CALL_MEASURES: Final = (
    Column("calls", "calls", Kind.COUNT, "calls"),
    Column("input", "input", Kind.COUNT, "tokens", leaves=4),
    Column("cached", "cached", Kind.SHARE, leaves=1),
    Column("output", "output", Kind.COUNT, "tokens", leaves=3),
)
_STATES: Final = (
    Column("unpriced", "unpriced", Kind.COUNT, "calls", optional=True),
    Column("absent", "no usage", Kind.COUNT, "calls", optional=True, leaves=6),
    Column("quarantined", "quarantined", Kind.COUNT, "calls", optional=True, leaves=5),
)
_LINE_MEASURES: Final = (
    Column("calls", "calls", Kind.COUNT, "calls"),
    Column("quantity", "quantity", Kind.COUNT, "units"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the queries brought: sums of all calls, of each shown group, and of the other groups."""

    totals: Sums
    shown: Sequence[Sums] = ()
    others: Sums | None = None


def spend(location: Location, query: Query, *, rate: ExchangeRate | None = None) -> Statement:
    """What calls cost, grouped as asked, with totals that hold for all of them.

    Amounts of several currencies stand in columns of their own and are never added. With `rate`
    the amounts of its base currency are shown in its quote currency, exactly.

    Raises:
        WrongUsage: the question makes no sense.
        StoreError: the store or the lake cannot be read.
    """
    if query.top is not None and query.top > LARGEST:
        raise WrongUsage(f"at most {LARGEST} rows fit a report, not {query.top}")
    with open_calls(location, query.columns, query.period) as calls:
        answer = _ask(selected(calls.table, query), query)
    return _Layout(query, answer.totals, rate).statement(answer)


def _ask(calls: ir.Table, query: Query) -> Answer:
    sums = fetch(totals(calls))[0]
    if not query.by:
        return Answer(sums)
    shown_rows = query.top or LARGEST
    # Cached, because two queries read the groups and making them reads every call.
    ordered = _dearest_first(groups(calls, query.dimensions).cache(), len(query.by))
    shown = fetch(ordered.limit(shown_rows))
    rest = fetch(_added(ordered.limit(None, offset=shown_rows)))[0]
    if query.dimensions[0].is_time:
        shown.sort(key=lambda row: [row[key_name(place)] for place in range(len(query.by))])
    return Answer(sums, shown, rest if rest["groups"] else None)


def _dearest_first(grouped: ir.Table, keys: int) -> ir.Table:
    """The groups by falling cost, then by falling calls, then by name, so that no two are equal."""
    costs = [grouped[f"cost_{code}"].desc(nulls_first=False) for code in CURRENCIES]
    names = [grouped[key_name(place)].asc() for place in range(keys)]
    return grouped.order_by([*costs, grouped["calls"].desc(), *names])


def _added(grouped: ir.Table) -> ir.Table:
    measures = [name for name in grouped.columns if not name.startswith(KEY_PREFIX)]
    sums = [exact_sum(grouped[name]).name(name) for name in measures]
    return grouped.aggregate([cast("ir.Scalar", grouped.count().name("groups")), *sums])


class _Layout:
    """Which columns a statement has, and what each sum becomes in them."""

    def __init__(self, query: Query, sums: Sums, rate: ExchangeRate | None) -> None:
        self._query = query
        self._rate = rate
        self._by_meter = METER in query.by
        self._money = {kind: self._currencies(kind, sums) for kind in _MONEY}
        self._columns = tuple(self._every_column())

    def statement(self, answer: Answer) -> Statement:
        """The statement of an answer."""
        base = answer.totals
        keys = range(len(self._query.by))
        other = None
        if answer.others is not None:
            count = answer.others["groups"]
            other = Other(count, (*(None for _ in keys), *self._measures(answer.others, base)))
        return Statement(
            title="spend",
            period=self._query.period,
            dimensions=self._query.by,
            columns=self._columns,
            rows=tuple(
                (*(row[key_name(place)] for place in keys), *self._measures(row, base))
                for row in answer.shown
            ),
            other=other,
            totals=(*(None for _ in keys), *self._measures(base, base, is_total=True)),
            calls=base["calls"],
            notes=tuple(_notes(base, self._rate, by_meter=self._by_meter)),
        )

    def _every_column(self) -> Iterator[Column]:
        for name in self._query.by:
            yield Column(name, name, Kind.TEXT)
        yield from _LINE_MEASURES if self._by_meter else _CALL_MEASURES
        for kind, currencies in self._money.items():
            for code in currencies:
                optional = kind != "cost"
                leaves = {"estimated": 8, "billed": 7, "exposure": 9}.get(kind)
                name = f"{kind}_{code.lower()}"
                yield Column(name, kind, Kind.MONEY, code, optional=optional, leaves=leaves)
        if len(self._money["cost"]) == 1:
            yield Column("share", "share", Kind.SHARE, leaves=2)
        if not self._by_meter:
            yield from _STATES

    def _currencies(self, kind: str, sums: Sums) -> list[str]:
        """The currencies of a kind of money that occur, as shown; at least one for the cost."""
        if kind in {"billed", "exposure"} and self._by_meter:
            return []
        found = [code for code in CURRENCIES if sums[f"{kind}_{code}"] is not None]
        shown = list(dict.fromkeys(self._shown_in(code) for code in found))
        return shown or ([self._shown_in("USD")] if kind == "cost" else [])

    def _shown_in(self, code: str) -> str:
        return self._rate.quote if self._rate and code == self._rate.base else code

    def _measures(self, sums: Sums, base: Sums, *, is_total: bool = False) -> Iterator[Cell]:
        for column in self._columns[len(self._query.by) :]:
            match column.name:
                case "cached":
                    yield _share(sums["cached"], sums["input"])
                case "share":
                    unit = self._money["cost"][0]
                    yield _share(self._amount("cost", unit, sums), self._amount("cost", unit, base))
                case "calls" | "quantity" if is_total and self._by_meter:
                    # A call has several lines, and tokens and searches are not one unit.
                    yield None
                case _ if column.kind is Kind.MONEY:
                    yield self._amount(column.title, column.unit, sums)
                case name:
                    yield sums[name] or 0

    def _amount(self, kind: str, unit: str, sums: Sums) -> Fraction | None:
        """The exact amount in whole units of a shown currency, or None when nothing was priced."""
        parts = [
            self._converted(Money(sums[f"{kind}_{code}"], code))
            for code in CURRENCIES
            if self._shown_in(code) == unit and sums[f"{kind}_{code}"] is not None
        ]
        return sum(parts, Fraction()) if parts else None

    def _converted(self, money: Money) -> Fraction:
        if self._rate and money.currency == self._rate.base:
            return self._rate.convert_exactly(money)
        return money.fraction()


def _share(part: Fraction | int | None, whole: Fraction | int | None) -> Fraction | None:
    return Fraction(part) / Fraction(whole) if part is not None and whole else None


def _notes(sums: Sums, rate: ExchangeRate | None, *, by_meter: bool) -> Iterator[Note]:
    """What must be said: what the cost leaves out, what is not certain, and what was converted."""
    calls: int = sums["calls"]
    if sums["unpriced"]:
        tokens: int = sums["unpriced_tokens"]
        yield Note("unpriced", {"calls": sums["unpriced"], "tokens": tokens})
    for state in ("absent", "quarantined", "orphaned", "exposed"):
        if sums[state]:
            yield Note(state, {"calls": sums[state]})
    if sums["estimated"]:
        yield Note("estimated", {"calls": sums["estimated"], "of": calls})
    if by_meter:
        yield Note("by_meter")
    if rate is not None:
        yield Note(
            "converted",
            {
                "base": rate.base,
                "quote": rate.quote,
                "rate": exact_decimal(rate.rate),
                "on": rate.on.isoformat(),
                "source": rate.source,
            },
        )
