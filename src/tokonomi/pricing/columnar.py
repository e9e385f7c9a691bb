"""The columnar twin of `charge`: one Ibis expression that prices a table of usage.

It runs where Ibis runs, embedded on DuckDB or on a cluster, and equals `charge` to the sub-unit.
"""

# The stubs of pyarrow and ibis leave the type parameters of arrays and literals open.
# pyright: reportUnknownMemberType=false
from collections.abc import Iterable, Mapping
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from tokonomi.pricing.cells import ALL_WEEKDAYS, RATE_COLUMN
from tokonomi.pricing.row import DAY_MINUTES, Meter
from tokonomi.pricing.steps import CONTEXTS, INSTANTS, MOST_EDGES, edges_of, few, stepped
from tokonomi.usage import COUNTS, INPUT_BUCKETS, STANDARD_TIER

Expression = Any
"""An Ibis column or table: Ibis knows their types when the expression is built, not before."""

BUCKET: Final[Mapping[Meter, str]] = {
    **{meter: meter.value for meter in Meter},
    Meter.INPUT: "uncached_input",
    Meter.SEARCH: "searches",
    Meter.REQUEST: "requests",
}
"""The usage column that each meter prices."""

_DAY_SECONDS: Final = 86_400


def price_keys(usage: ir.Table) -> ir.Table:
    """The distinct names, tiers and batch modes in a usage table: the columns of a `PriceKey`."""
    return _complete(usage).select("provider", "model", "tier", "batch").distinct()


def charged(
    usage: ir.Table, cells: pa.Table, *, lines: bool = False, most_edges: int = MOST_EDGES
) -> ir.Table:
    """The usage table with what each row costs.

    Args:
        usage: columns `provider`, `model`, `at` (timestamp, UTC), and any of `Usage`'s counts,
            `tier`, `batch` and `context_basis`; a column that is absent has the default of `Usage`.
        cells: from `price_cells`, for the names in the table.
        lines: whether to add a column `amount_<meter>` for each count that the table has.
        most_edges: dates, or context thresholds, up to which they are joined as numbered steps.

    The rows must be possible: counts of 0 or more, reasoning within output.

    Returns:
        The same rows with `row_id`, `currency`, `amount` (int64, sub-units) and `unpriced`.
        An unpriced row has no amount, and its `row_id` names the row that lacks a price, if any.
        Sum amounts as decimals of 38 digits: a sum in 64 bits ends at 9.2 million dollars.
    """
    cells = _comparable(cells, usage)
    table, cells = _placed(_complete(usage), frozenset(usage.columns), cells, most_edges)
    prices: Expression = ibis.memtable(cells)
    joined = table.left_join(
        prices, _matches(table, prices, frozenset(usage.columns)), rname="price_{name}"
    )
    quantities = _quantities(joined, frozenset(usage.columns), cells)
    # A number says as much as the row's name, and costs the join less to carry.
    unpriced = joined.ctx_from.isnull()
    amounts: dict[Meter, Expression] = {}
    for meter, quantity in quantities.items():
        rate = joined[RATE_COLUMN[meter]]
        if cells[RATE_COLUMN[meter]].null_count:
            unpriced |= (quantity > 0) & rate.isnull()
            rate = rate.coalesce(0)
        amounts[meter] = quantity * rate
    nothing = ibis.null("int64")
    named = {
        f"amount_{meter.value}": ibis.ifelse(unpriced, nothing, amount)
        for meter, amount in amounts.items()
    }
    return joined.select(
        *(joined[name] for name in usage.columns),
        row_id=joined.row_id,
        currency=joined.currency,
        amount=ibis.ifelse(unpriced, nothing, _sum(amounts.values())),
        unpriced=unpriced,
        **(named if lines else {}),
    )


def _complete(usage: Expression) -> Expression:
    """The table with `Usage`'s defaults for the columns that it lacks."""
    defaults: dict[str, Expression] = {name: ibis.literal(0, "int64") for name in COUNTS}
    defaults["requests"] = ibis.literal(1, "int64")
    defaults["tier"] = ibis.literal(STANDARD_TIER)
    defaults["batch"] = ibis.literal(value=False)
    defaults["context_basis"] = ibis.null("int64")
    absent = {name: value for name, value in defaults.items() if name not in usage.columns}
    return usage.mutate(**absent) if absent else usage


def _comparable(cells: pa.Table, usage: Expression) -> pa.Table:
    """The cells that the usage can lie in, their instants with a time zone if the usage's have."""
    for name, usual in (("tier", STANDARD_TIER), ("batch", False)):
        if name not in usage.columns:
            cells = cells.filter(pc.field(name) == usual)
    if usage.at.type().timezone is not None:
        return cells
    for name in ("at_from", "at_to"):
        naive = cells[name].cast(pa.timestamp("us"))
        cells = cells.set_column(cells.column_names.index(name), name, naive)
    return cells


def _placed(
    usage: Expression, counted: frozenset[str], cells: pa.Table, most_edges: int
) -> tuple[Expression, pa.Table]:
    """The usage with its place in time, context and week, as far as these cells tell such apart.

    They are columns, and not parts of the join's condition, so that each is computed once a row.
    """
    place: dict[str, Expression] = {}
    zone = usage.at.type()
    for axis, value in ((INSTANTS, usage.at), (CONTEXTS, _tokens(usage, counted))):
        edges = edges_of(cells, axis)
        if edges and few(cells, edges, most_edges):
            cells = stepped(cells, axis, edges)
            kind = zone if axis is INSTANTS else "int64"
            steps = [(value >= ibis.literal(edge, kind)).cast("int64") for edge in edges]
            place[axis.step] = _sum(steps)
        elif edges:
            place[f"place_{axis.low}"] = value
    whole_week = {"weekdays": ALL_WEEKDAYS, "minute_from": 0, "minute_to": DAY_MINUTES}
    if not all(_all_are(cells, name, usual) for name, usual in whole_week.items()):
        # Whole seconds since 1970 as an integer, on engines whose epoch is a float as well.
        seconds = usage.at.truncate("s").epoch_seconds().cast("float64").cast("int64")
        day = seconds // _DAY_SECONDS
        place["place_minute"] = (seconds - day * _DAY_SECONDS) // 60
        # The remainder of a day before 1970 is negative on most engines, hence the second one.
        place["place_weekday"] = ibis.literal(1, "int64") << (((day + 3) % 7 + 7) % 7)
    return (usage.mutate(**place) if place else usage), cells


def _tokens(usage: Expression, counted: frozenset[str]) -> Expression:
    """The tokens that choose the context tier."""
    buckets = [usage[name] for name in INPUT_BUCKETS if name in counted]
    tokens = _sum(buckets or [ibis.literal(0, "int64")])
    return usage.context_basis.coalesce(tokens) if "context_basis" in counted else tokens


def _all_are(cells: pa.Table, column: str, usual: int) -> bool:
    return set(cells[column].unique().to_pylist()) <= {usual}


def _matches(usage: Expression, prices: Expression, counted: frozenset[str]) -> list[Expression]:
    """What makes a usage row lie in a cell; conditions that all cells meet are left out."""
    conditions = [usage.provider == prices.provider, usage.model == prices.model]
    conditions += [usage[name] == prices[name] for name in ("tier", "batch") if name in counted]
    for axis in (INSTANTS, CONTEXTS):
        if axis.step in usage.columns:
            conditions.append(usage[axis.step] == prices[axis.step])
        elif f"place_{axis.low}" in usage.columns:
            value = usage[f"place_{axis.low}"]
            conditions += [value >= prices[axis.low], value < prices[axis.high]]
    if "place_minute" in usage.columns:
        conditions += [
            (prices.weekdays & usage.place_weekday) != 0,
            usage.place_minute >= prices.minute_from,
            usage.place_minute < prices.minute_to,
        ]
    return conditions


def _quantities(
    joined: Expression, counted: frozenset[str], cells: pa.Table
) -> dict[Meter, Expression]:
    """What is charged per meter by the rules of `charge`, for the counts that the usage has."""
    quantities = {meter: joined[name] for meter, name in BUCKET.items() if name in counted}
    if Meter.SEARCH in quantities:
        prompts = ibis.least(joined.searches, joined.requests)
        quantities[Meter.SEARCH] = ibis.ifelse(joined.search_per_prompt, prompts, joined.searches)
    if Meter.REASONING in quantities:
        quantities[Meter.OUTPUT] = joined.output - joined.reasoning
    quantities.pop(Meter.REQUEST, None)
    fees = cells[RATE_COLUMN[Meter.REQUEST]]
    if fees.null_count < len(fees) or not quantities:
        has_fee = joined[RATE_COLUMN[Meter.REQUEST]].notnull()
        quantities[Meter.REQUEST] = ibis.ifelse(has_fee, joined.requests, 0)
    return quantities


def _sum(values: Iterable[Expression]) -> Expression:
    total, *rest = values
    for value in rest:
        total += value
    return total
