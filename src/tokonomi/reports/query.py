"""The one Ibis expression behind every report: group calls, and sum them exactly.

DuckDB runs it here; Spark runs the same expression on a cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final, cast

import ibis.expr.types as ir

from tokonomi.calls import Status
from tokonomi.errors import WrongUsage
from tokonomi.money import CURRENCIES
from tokonomi.reports.dimensions import METER, Dimension, dimension
from tokonomi.storage.analytics import ALWAYS, Period, as_whole, exact_sum, literal
from tokonomi.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Source

KEY_PREFIX: Final = "by_"
CACHED_BUCKETS: Final = ("cache_read", "cache_read_audio")

_MEASURED: Final = (
    *INPUT_BUCKETS,
    *OUTPUT_BUCKETS,
    "amount",
    "currency",
    "reported_amount",
    "reported_currency",
    "exposure",
    "exposure_currency",
    "source",
    "status",
    "quarantined",
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: the groups, the period, the filters, and how many rows.

    Attributes:
        by: names of dimensions, in the order of the columns; none gives the totals alone.
        period: in UTC.
        where: pairs of a dimension and a value; several values of one dimension are alternatives.
        top: the number of rows that are shown; the rest is one row, "Other".
    """

    by: tuple[str, ...] = ()
    period: Period = ALWAYS
    where: tuple[tuple[str, str], ...] = ()
    top: int | None = None

    def __post_init__(self) -> None:
        for name in (*self.by, *(name for name, _ in self.where)):
            dimension(name)
        if len(set(self.by)) < len(self.by):
            raise WrongUsage(f"a dimension stands twice in {','.join(self.by)}")
        if self.top is not None and self.top < 1:
            raise WrongUsage(f"the top {self.top} rows are no rows", remedy="Ask for 1 or more.")
        if any(name == METER for name, _ in self.where):
            raise WrongUsage(
                "calls cannot be filtered by meter", remedy="Group by meter instead: --by meter."
            )

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions of the groups."""
        return tuple(dimension(name) for name in self.by)

    @property
    def columns(self) -> list[str]:
        """The columns of the lake that the answer is made from."""
        filters = [dimension(name).column for name, _ in self.where]
        return [*_MEASURED, *(each.column for each in self.dimensions), *filters]


def selected(calls: ir.Table, query: Query) -> ir.Table:
    """The calls that pass the filters."""
    wanted: dict[str, list[str]] = {}
    for name, value in query.where:
        wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        calls = calls.filter(
            dimension(name).value(calls).isin([literal(value) for value in values])
        )
    return calls


def totals(calls: ir.Table) -> ir.Table:
    """One row: the measures of all calls."""
    return calls.aggregate(_named(measures(calls)))


def groups(calls: ir.Table, dimensions: Sequence[Dimension]) -> ir.Table:
    """One row a group: its dimensions as `by_0`, `by_1` ..., and its measures."""
    if any(each.name == METER for each in dimensions):
        lines = calls.mutate(line=cast("ir.ArrayColumn", calls["lines"]).unnest())
        line = cast("ir.StructColumn", lines["line"])
        calls = lines.mutate(meter=line["meter"], quantity=line["quantity"], amount=line["amount"])
        sums = line_measures(calls)
    else:
        sums = measures(calls)
    keys = {key_name(place): each.value(calls) for place, each in enumerate(dimensions)}
    return calls.aggregate(_named(sums), by=_named(keys))


def key_name(place: int) -> str:
    """The column of a dimension in the answer; a tag may have any name, so it is a number."""
    return f"{KEY_PREFIX}{place}"


def measures(calls: ir.Table) -> Mapping[str, ir.Scalar]:
    """The sums of a group of calls, by name; counts of nothing are 0, amounts of nothing NULL.

    A call is in one of four states: priced, unpriced (tokens without a price), absent (no usage is
    known) or quarantined (its usage cannot be true).
    """
    source = calls["source"]
    quarantined = cast("ir.BooleanColumn", calls["quarantined"].notnull())
    absent = _both(source == Source.ABSENT, ~quarantined)
    unpriced = _both(calls["amount"].isnull(), source != Source.ABSENT)
    every = _total(calls, (*INPUT_BUCKETS, *OUTPUT_BUCKETS))
    return {
        "calls": calls.count(),
        "input": exact_sum(_total(calls, INPUT_BUCKETS)),
        "cached": exact_sum(_total(calls, CACHED_BUCKETS)),
        "output": exact_sum(_total(calls, OUTPUT_BUCKETS)),
        **_costs(calls),
        **_billed(calls),
        **_exposures(calls),
        "exposed": cast("ir.BooleanColumn", calls["exposure"].notnull()).sum(),
        "unpriced": unpriced.sum(),
        "unpriced_tokens": exact_sum(every, where=unpriced),
        "absent": absent.sum(),
        "quarantined": quarantined.sum(),
        "estimated": cast("ir.BooleanColumn", source == Source.ESTIMATED).sum(),
        "orphaned": cast("ir.BooleanColumn", calls["status"] == Status.ORPHANED).sum(),
    }


def line_measures(lines: ir.Table) -> Mapping[str, ir.Scalar]:
    """The sums of a group of charge lines, by name."""
    quantity = exact_sum(lines["quantity"])
    return {"calls": lines.count(), "quantity": quantity, **_costs(lines)}


def _named(values: Mapping[str, ir.Value]) -> list[ir.Scalar]:
    # A key is a column and a sum is a scalar; `aggregate` takes both, and its types say so twice.
    return [cast("ir.Scalar", value.name(name)) for name, value in values.items()]


def _costs(calls: ir.Table) -> dict[str, ir.Scalar]:
    sums: dict[str, ir.Scalar] = {}
    for code in CURRENCIES:
        of_currency = cast("ir.BooleanColumn", calls["currency"] == code)
        estimated = _both(of_currency, calls["source"] == Source.ESTIMATED)
        sums[f"cost_{code}"] = exact_sum(calls["amount"], where=of_currency)
        sums[f"estimated_{code}"] = exact_sum(calls["amount"], where=estimated)
    return sums


def _billed(calls: ir.Table) -> dict[str, ir.Scalar]:
    return _sums(calls, "billed", amount="reported_amount", currency="reported_currency")


def _exposures(calls: ir.Table) -> dict[str, ir.Scalar]:
    return _sums(calls, "exposure", amount="exposure", currency="exposure_currency")


def _sums(calls: ir.Table, kind: str, *, amount: str, currency: str) -> dict[str, ir.Scalar]:
    return {
        f"{kind}_{code}": exact_sum(
            calls[amount], where=cast("ir.BooleanColumn", calls[currency] == code)
        )
        for code in CURRENCIES
    }


def _total(calls: ir.Table, buckets: Sequence[str]) -> ir.Value:
    def add(left: ir.DecimalColumn, right: ir.DecimalColumn) -> ir.DecimalColumn:
        return as_whole(left + right)

    return reduce(add, (as_whole(calls[bucket]) for bucket in buckets))


def _both(left: object, right: object) -> ir.BooleanColumn:
    both = cast("ir.BooleanColumn", left) & cast("ir.BooleanColumn", right)
    return cast("ir.BooleanColumn", both)
