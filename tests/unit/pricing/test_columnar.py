"""The columnar twin at its edges: defaults, limits, engines."""

# The stubs of pyarrow and ibis leave type parameters open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest

from tokonomi.errors import AmountTooLarge
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.cells import CELL_SCHEMA, PriceKey, price_cells
from tokonomi.pricing.columnar import charged, price_keys
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.pricing.price_file import read_price_file
from tokonomi.storage.price_files import load_book

BUNDLED = load_book()
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def usage(**columns: list[object]) -> pa.Table:
    length = len(columns["model"])
    table = pa.table({"provider": ["openai"] * length, **columns})
    return table.append_column("at", pa.array([AT] * length, pa.timestamp("us", tz="UTC")))


def priced(table: pa.Table, book: PriceBook = BUNDLED) -> list[dict[str, Any]]:
    rows = ibis.memtable(table)
    keys = [PriceKey(**row) for row in price_keys(rows).to_pyarrow().to_pylist()]
    return charged(rows, price_cells(book, keys), lines=True).to_pyarrow().to_pylist()


def own_book(rates: str) -> PriceBook:
    text = (
        'about = "a test"\n[[model]]\nprovider = "openai"\nid = "m"\nsource = "s"\n'
        f'[[model.price]]\nsource = "s"\nrates = {rates}'
    )
    return PriceBook(Catalogue([], "1"), compile_overlay({"f": read_price_file(text, "f")}))


def test_a_table_without_tiers_or_other_counts_has_the_defaults_of_a_call() -> None:
    (row,) = priced(usage(model=["gpt-5.1"], uncached_input=[1_000], output=[10]))
    assert row == {
        "provider": "openai",
        "model": "gpt-5.1",
        "uncached_input": 1_000,
        "output": 10,
        "at": row["at"],
        "row_id": "genai-prices-0.2.3:openai/gpt-5.1",
        "currency": "USD",
        "amount": 1_350_000_000,
        "unpriced": False,
        "amount_input": 1_250_000_000,
        "amount_output": 100_000_000,
    }


def test_rows_of_unknown_models_stay_and_are_unpriced() -> None:
    rows = priced(usage(model=["gpt-5.1", "nobody"], output=[1, 1]))
    assert sorted((row["model"], row["amount"], row["unpriced"]) for row in rows) == [
        ("gpt-5.1", 10_000_000, False),
        ("nobody", None, True),
    ]


def test_a_table_that_counts_nothing_costs_its_request_fee() -> None:
    fee = own_book('{ input = "1", request = "5" }')
    (row,) = priced(usage(model=["m"]), fee)
    assert (row["amount"], row["amount_request"]) == (5_000_000_000, 5_000_000_000)
    (row,) = priced(usage(model=["m"]), own_book('{ input = "1" }'))
    assert (row["amount"], row["unpriced"]) == (0, False)


def test_a_context_basis_that_is_given_chooses_the_tier() -> None:
    table = usage(
        model=["gemini-2.5-pro"] * 2, uncached_input=[10, 10], context_basis=[200_001, None]
    ).set_column(0, "provider", pa.array(["google"] * 2))
    assert sorted(row["amount"] for row in priced(table)) == [12_500_000, 25_000_000]
    without_inputs = usage(model=["gemini-2.5-pro"], output=[1]).set_column(
        0, "provider", pa.array(["google"])
    )
    assert [row["amount"] for row in priced(without_inputs)] == [10_000_000]


def test_totals_are_exact_beyond_sixty_four_bits() -> None:
    book = own_book('{ input = "600000" }')
    table = usage(model=["m"] * 40, uncached_input=[10_000_000] * 40)
    rows = ibis.memtable(table)
    result: Any = charged(rows, price_cells(book, [PriceKey("openai", "m")]))
    total = result.amount.cast("decimal(38, 0)").sum().to_pyarrow().as_py()
    assert total == Decimal(40 * 10_000_000 * 600_000 * 10**6)
    assert total > 2**63


def test_an_amount_beyond_sixty_four_bits_stops_the_query_and_never_wraps() -> None:
    book = own_book('{ input = "600000" }')
    table = usage(model=["m"], uncached_input=[2**60])
    with pytest.raises(duckdb.OutOfRangeException, match="Overflow"):
        priced(table, book)


def test_a_rate_beyond_sixty_four_bits_is_refused() -> None:
    book = own_book('{ input = "99999999999999999999" }')
    with pytest.raises(AmountTooLarge):
        price_cells(book, [PriceKey("openai", "m")])


def test_no_names_make_an_empty_table_of_cells() -> None:
    cells = price_cells(BUNDLED, [])
    assert (cells.num_rows, cells.schema) == (0, CELL_SCHEMA)
    rows = ibis.memtable(usage(model=["gpt-5.1"], output=[1]))
    assert charged(rows, cells).unpriced.to_pyarrow().to_pylist() == [True]


def test_the_same_expression_compiles_to_sql_of_spark() -> None:
    table = ibis.table(
        {
            "provider": "string",
            "model": "string",
            "at": "timestamp('UTC')",
            "tier": "string",
            "batch": "boolean",
            "uncached_input": "int64",
            "output": "int64",
        },
        name="calls",
    )
    keys = [PriceKey("deepseek", "deepseek-v4-flash"), PriceKey("google", "gemini-2.5-pro")]
    sql = str(ibis.to_sql(charged(table, price_cells(BUNDLED, keys)), dialect="pyspark"))
    assert "LEFT OUTER JOIN" in sql
    assert "`calls`" in sql
