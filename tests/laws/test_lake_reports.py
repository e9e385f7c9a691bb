"""Laws of reports: the figures are those of the calls themselves, however they are asked for."""

# Ibis leaves some of its parameters without types.
# pyright: reportUnknownMemberType=false
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import ibis
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.charge import Charge, ChargeLine, Unpriced
from tokonomi.pricing.row import Meter
from tokonomi.reports.dimensions import DIMENSIONS, dimension
from tokonomi.reports.query import Query, groups, selected, totals
from tokonomi.reports.spend import spend
from tokonomi.reports.statement import Statement
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.lake_rows import LAKE_SCHEMA
from tokonomi.storage.location import Location
from tokonomi.usage import Source, Usage

NewLocation = Callable[[], Location]

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
BY = ("model", "feature", "day", "tag:team")

names = st.sampled_from(["", "a", "b"])
costs = st.none() | st.tuples(st.sampled_from(["USD", "IDR"]), st.integers(0, 2**62))


@st.composite
def settled(draw: st.DrawFn, number: int) -> Call:
    at = START + timedelta(hours=draw(st.integers(0, 40)))
    cost = draw(costs)
    team = draw(names)
    return Call(
        intent=Intent(
            id=f"{number}.1",
            at=at,
            dimensions=Dimensions(feature=draw(names), tags=(("team", team),) if team else ()),
            model="asked",
        ),
        model_served=draw(names),
        usage=Usage(at=at, uncached_input=draw(st.integers(0, 10**12)), output=number),
        cost=Unpriced("no price") if cost is None else charged(*cost),
        status=Status.OK,
    )


def charged(currency: str, amount: int) -> Charge:
    half = amount // 2
    lines = (
        ChargeLine(Meter.INPUT, 1, half, half),
        ChargeLine(Meter.OUTPUT, 1, amount - half, amount - half),
    )
    return Charge("row", currency, amount, lines)


calls_of_a_store = st.integers(0, 12).flatmap(
    lambda count: st.tuples(*(settled(number) for number in range(count)))
)


@contextmanager
def store_of(new_location: NewLocation, calls: Sequence[Call]) -> Generator[Location]:
    """A store with half of the calls in the lake and half behind its watermark."""
    location = new_location()
    with closing(open_store(location.address)) as database:
        for part in (calls[::2], calls[1::2]):
            export(database, location.lake)
            with database.transaction():
                database.executemany(INSERT, [row_of(call) for call in part])
    yield location


def value_of(call: Call, name: str) -> str:
    match name:
        case "model":
            return call.model_served
        case "day":
            return call.intent.at.date().isoformat()
        case _:
            return call.intent.dimensions.named(name)


def expected(
    calls: Sequence[Call], by: Sequence[str]
) -> dict[tuple[str, ...], dict[str, Fraction]]:
    """Cost by group and currency, summed in Python's own integers."""
    sums: dict[tuple[str, ...], dict[str, Fraction]] = defaultdict(dict)
    for call in calls:
        group = sums[tuple(value_of(call, name) for name in by)]
        if isinstance(call.cost, Charge):
            code, amount = call.cost.currency, Money(call.cost.sub_units, call.cost.currency)
            group[code] = group.get(code, Fraction()) + amount.fraction()
    return sums


def column(statement: Statement, name: str) -> list[object]:
    places = [each.name for each in statement.columns]
    if name not in places:
        return [None] * len(statement.all_rows)
    return [row[places.index(name)] for row in statement.all_rows]


def whole(cell: object) -> Fraction:
    assert cell is None or isinstance(cell, (int, Fraction))
    return Fraction(cell or 0)


@settings(max_examples=15, deadline=None)
@given(
    calls=calls_of_a_store, by=st.lists(st.sampled_from(BY), unique=True, min_size=1, max_size=3)
)
def test_a_report_says_what_the_calls_add_up_to(
    new_location: NewLocation, calls: tuple[Call, ...], by: list[str]
) -> None:
    with store_of(new_location, calls) as location:
        statement = spend(location, Query(by=tuple(by)))
    rows = [tuple(map(str, row[: len(by)])) for row in statement.rows]
    usd, idr = column(statement, "cost_usd"), column(statement, "cost_idr")
    found = {
        row: {code: cost for code, cost in (("USD", usd[n]), ("IDR", idr[n])) if cost is not None}
        for n, row in enumerate(rows)
    }
    assert found == expected(calls, by)
    assert sum(map(whole, column(statement, "calls"))) == statement.calls == len(calls)


@settings(max_examples=15, deadline=None)
@given(calls=calls_of_a_store, top=st.integers(1, 4), by=st.sampled_from([*BY, "meter"]))
def test_the_shown_rows_and_the_others_make_the_total(
    new_location: NewLocation, calls: tuple[Call, ...], top: int, by: str
) -> None:
    with store_of(new_location, calls) as location:
        statement = spend(location, Query(by=(by,), top=top))
    assert len(statement.rows) <= top
    for place, each in enumerate(statement.columns):
        if each.name.startswith("cost_") or (each.name == "calls" and by != "meter"):
            total = whole(statement.totals[place])
            assert sum(map(whole, column(statement, each.name))) == total, each.name


@settings(max_examples=10, deadline=None)
@given(calls=calls_of_a_store, figure=st.decimals("0.01", "20000", places=4))
def test_a_converted_report_is_the_exact_sum_at_the_rate(
    new_location: NewLocation, calls: tuple[Call, ...], figure: object
) -> None:
    rate = ExchangeRate("USD", "IDR", Fraction(str(figure)), date(2026, 1, 30), "a law")
    with store_of(new_location, calls) as location:
        statement = spend(location, Query(), rate=rate)
    priced = [call.cost for call in calls if isinstance(call.cost, Charge)]
    exact = sum(
        (cost.total.fraction() * (rate.rate if cost.currency == "USD" else 1) for cost in priced),
        Fraction(),
    )
    places = [each.name for each in statement.columns]
    assert "cost_usd" not in places
    assert whole(statement.totals[places.index("cost_idr")]) == exact


def test_every_report_compiles_for_spark_as_it_does_for_duckdb() -> None:
    calls = ibis.table(ibis.Schema.from_pyarrow(LAKE_SCHEMA), name="calls")
    for name in [*DIMENSIONS, "tag:team"]:
        where = () if name == "meter" else ((name, "a"), (name, "b"))
        chosen = selected(calls, Query(by=(name,), where=where))
        for question in (groups(chosen, [dimension(name)]), totals(chosen)):
            spark, duck = (ibis.to_sql(question, dialect=it) for it in ("pyspark", "duckdb"))
            assert "DECIMAL(38, 0)" in str(spark)
            assert "DECIMAL(38, 0)" in str(duck)
            assert "FLOAT" not in str(spark).upper()
            assert "DOUBLE" not in str(spark).upper()


def test_a_call_whose_usage_is_absent_is_not_called_unpriced(new_location: NewLocation) -> None:
    at = START
    intent = Intent(id="1.1", at=at, dimensions=Dimensions(), model="m")
    usage = Usage(at=at, source=Source.ABSENT, requests=0)
    call = Call(
        intent=intent,
        model_served="m",
        usage=usage,
        cost=Unpriced("no usage"),
        status=Status.ORPHANED,
    )
    with store_of(new_location, [call]) as location:
        statement = spend(location, Query())
    assert [note.code for note in statement.notes] == ["absent", "orphaned"]
