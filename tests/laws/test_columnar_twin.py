"""The law of the twin: the Ibis expression and `charge` agree on every row, to the sub-unit."""

# The stubs of pyarrow and ibis leave type parameters open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.cells import PriceKey, price_cells
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.columnar import BUCKET, charged, price_keys
from tokonomi.pricing.listing import Listing, ModelCard
from tokonomi.pricing.overlay import Overlay
from tokonomi.pricing.row import (
    BEGINNING,
    FOREVER,
    PER,
    Comparator,
    ContextTier,
    Meter,
    PriceRow,
    Rate,
    SearchUnit,
    Window,
)
from tokonomi.pricing.steps import MOST_EDGES
from tokonomi.usage import COUNTS, Usage

FIRST = datetime(2026, 1, 30, tzinfo=UTC)
DAYS = 12
MODELS = ("a", "b")
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)

instants = st.one_of(
    st.integers(0, DAYS * 24).map(lambda hours: FIRST + timedelta(hours=hours)),
    st.integers(0, DAYS * 86_400 * 10).map(
        lambda tenths: FIRST + timedelta(microseconds=tenths * 100_000)
    ),
    st.sampled_from([BEGINNING - timedelta(days=400), BEGINNING, datetime(2100, 1, 1, tzinfo=UTC)]),
)
days = st.integers(0, DAYS).map(lambda day: FIRST + timedelta(days=day))
figures = st.decimals(0, 100, places=4).map(lambda value: format(value, "f"))
rate_tables = st.dictionaries(st.sampled_from(Meter), figures, max_size=6).map(
    lambda table: {
        meter: Rate.of(text, per=PER[meter], currency="USD") for meter, text in table.items()
    }
)
minutes = st.integers(0, 1_439)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(minutes)
    end = draw(st.sampled_from([0, 60, 600, 1_440]).filter(lambda minute: minute != start))
    closed = draw(st.frozensets(days.map(datetime.date), max_size=3))
    weekdays = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return Window(weekdays, start, end, closed)


@st.composite
def price_rows(draw: st.DrawFn, number: int) -> PriceRow:
    begins, ends = draw(st.none() | days), draw(st.none() | days)
    if begins and ends and begins >= ends:
        begins, ends = ends, begins + timedelta(days=1)
    stated = draw(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(Comparator)), max_size=2))
    tiers = {
        tier.first_tokens: tier
        for threshold, comparator in stated
        for tier in [ContextTier(threshold, comparator, draw(rate_tables))]
    }
    plain = {meter: Rate.of("1.5", per=10**6, currency="USD") for meter in ("input", "output")}
    return PriceRow(
        id=f"row-{number}",
        provider="p",
        model=draw(st.sampled_from(MODELS)),
        currency="USD",
        source="a law",
        rates={Meter(name): rate for name, rate in plain.items()} | draw(rate_tables),
        tier=draw(st.sampled_from(["standard", "standard", "flex"])),
        batch=draw(st.sampled_from([False, False, True])),
        valid_from=begins or BEGINNING,
        valid_to=ends or FOREVER,
        window=draw(st.none() | windows()),
        context_tiers=tuple(tiers[first] for first in sorted(tiers)),
        search_unit=draw(st.sampled_from(SearchUnit)),
    )


books = st.integers(0, 6).flatmap(
    lambda count: st.tuples(*(price_rows(number) for number in range(count)))
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    counts = {name: draw(st.integers(0, 30)) for name in COUNTS if name != "reasoning"}
    kept = draw(st.frozensets(st.sampled_from(COUNTS), max_size=5)) | {"uncached_input", "requests"}
    counts = {name: count if name in kept else 0 for name, count in counts.items()}
    counts["reasoning"] = draw(st.integers(0, counts["output"]))
    return replace(
        Usage(at=draw(instants)),
        **counts,
        tier=draw(st.sampled_from(["standard", "default", "flex", "auto"])),
        batch=draw(st.booleans()),
        context_basis=draw(st.none() | st.integers(0, 70)),
    )


calls = st.lists(
    st.tuples(st.sampled_from([*MODELS, "unknown"]), usages()), min_size=1, max_size=24
)


def book_of(rows: Sequence[PriceRow]) -> PriceBook:
    listings = {
        ("p", model): Listing(
            "p", model, ModelCard(), tuple(row for row in rows if row.model == model)
        )
        for model in MODELS
    }
    return PriceBook(Catalogue([], "none"), Overlay(listings, {}, {}, ()))


def table_of(recorded: Sequence[tuple[str, Usage]], *, zoned: bool = True) -> pa.Table:
    rows: list[dict[str, object]] = []
    for n, (model, usage) in enumerate(recorded):
        at = usage.at if zoned else usage.at.replace(tzinfo=None)
        rows.append({**asdict(usage), "n": n, "provider": "p", "model": model, "at": at})
    instant = pa.timestamp("us", tz="UTC") if zoned else pa.timestamp("us")
    fields = [pa.field(name, pa.int64()) for name in ("n", "context_basis", *COUNTS)]
    fields += [pa.field(name, pa.string()) for name in ("provider", "model", "tier")]
    fields += [pa.field("batch", pa.bool_()), pa.field("at", instant)]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def by_columns(
    book: PriceBook,
    recorded: Sequence[tuple[str, Usage]],
    *,
    zoned: bool = True,
    most_edges: int = MOST_EDGES,
) -> list[dict[str, object]]:
    usage = ibis.memtable(table_of(recorded, zoned=zoned))
    keys = [PriceKey(**row) for row in price_keys(usage).to_pyarrow().to_pylist()]
    priced = charged(usage, price_cells(book, keys), lines=True, most_edges=most_edges)
    return priced.order_by("n").to_pyarrow().to_pylist()


def by_rows(book: PriceBook, recorded: Sequence[tuple[str, Usage]]) -> list[Charge | Unpriced]:
    costs: list[Charge | Unpriced] = []
    for model, usage in recorded:
        row = book.row_at("p", model, usage.at, usage.tier, batch=usage.batch)
        costs.append(row if isinstance(row, Unpriced) else charge(usage, row))
    return costs


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(books, calls)
def test_the_expression_and_the_function_agree_to_the_sub_unit(
    rows: tuple[PriceRow, ...], recorded: list[tuple[str, Usage]]
) -> None:
    book = book_of(rows)
    for row, cost in zip(by_columns(book, recorded), by_rows(book, recorded), strict=True):
        if isinstance(cost, Unpriced):
            assert (row["unpriced"], row["amount"]) == (True, None), cost
            continue
        assert (row["unpriced"], row["amount"], row["row_id"], row["currency"]) == (
            False,
            cost.sub_units,
            cost.row_id,
            cost.currency,
        )
        lines = {line.meter: line.amount for line in cost.lines}
        amounts = {meter: row.get(f"amount_{meter.value}", 0) for meter in BUCKET}
        together = amounts[Meter.OUTPUT], amounts[Meter.REASONING]
        assert sum(each for each in together if isinstance(each, int)) == lines.get(
            Meter.OUTPUT, 0
        ) + lines.get(Meter.REASONING, 0)
        for meter in set(BUCKET) - {Meter.OUTPUT, Meter.REASONING}:
            assert amounts[meter] == lines.get(meter, 0)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(books, calls)
def test_ranges_and_numbered_steps_find_the_same_cells(
    rows: tuple[PriceRow, ...], recorded: list[tuple[str, Usage]]
) -> None:
    book = book_of(rows)
    by_steps = by_columns(book, recorded, most_edges=1_000)
    assert by_steps == by_columns(book, recorded, most_edges=0)


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(books, calls)
def test_instants_without_a_zone_are_read_as_utc(
    rows: tuple[PriceRow, ...], recorded: list[tuple[str, Usage]]
) -> None:
    book = book_of(rows)
    zoned, naive = by_columns(book, recorded), by_columns(book, recorded, zoned=False)
    assert [row["amount"] for row in naive] == [row["amount"] for row in zoned]


@given(books, st.lists(instants, min_size=1, max_size=10))
def test_the_cells_of_a_model_never_overlap(
    rows: tuple[PriceRow, ...], moments: list[datetime]
) -> None:
    book = book_of(rows)
    cells = price_cells(book, [PriceKey("p", "a")]).to_pylist()
    for at in moments:
        minute, bit = at.hour * 60 + at.minute, 1 << at.weekday()
        for tokens in (0, 30, 10**9):
            holding = [
                cell["row_id"]
                for cell in cells
                if cell["at_from"] <= at < cell["at_to"]
                and cell["weekdays"] & bit
                and cell["minute_from"] <= minute < cell["minute_to"]
                and cell["ctx_from"] <= tokens < cell["ctx_to"]
            ]
            row = book.row_at("p", "a", at)
            assert holding == ([row.id] if isinstance(row, PriceRow) else [])


def naive_winner(rows: Sequence[PriceRow], at: datetime) -> str | None:
    """The law of precedence told again: hours over none, then the later start, then the later."""
    valid = [
        (row.window is not None, row.valid_from, place, row.id)
        for place, row in enumerate(rows)
        if (row.valid_from == BEGINNING or row.valid_from <= at) and at < row.valid_to
        if row.window is None or row.window.holds(at)
        if (row.tier, row.batch, row.model) == ("standard", False, "a")
    ]
    return max(valid)[3] if valid else None


@given(books, instants)
def test_hours_beat_no_hours_and_a_later_start_an_earlier_one(
    rows: tuple[PriceRow, ...], at: datetime
) -> None:
    row = book_of(rows).row_at("p", "a", at)
    assert naive_winner(rows, at) == (row.id if isinstance(row, PriceRow) else None)
