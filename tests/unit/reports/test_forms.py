# The stubs of pyarrow leave the types of its tables open.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from io import BytesIO, StringIO

import pyarrow.parquet as pq
import pytest

from tokonomi.reports.forms import rendered
from tokonomi.reports.forms.machine import as_csv, as_json, as_parquet
from tokonomi.reports.forms.markdown import as_markdown
from tokonomi.reports.forms.table import as_table
from tokonomi.reports.statement import (
    Column,
    Kind,
    Note,
    Other,
    Statement,
    exact_decimal,
)
from tokonomi.storage.analytics import Period

COLUMNS = (
    Column("model", "model", Kind.TEXT),
    Column("calls", "calls", Kind.COUNT, "calls"),
    Column("input", "input", Kind.COUNT, "tokens", leaves=2),
    Column("cost_usd", "cost", Kind.MONEY, "USD"),
    Column("billed_usd", "billed", Kind.MONEY, "USD", optional=True, leaves=3),
    Column("share", "share", Kind.SHARE, leaves=1),
)
STATEMENT = Statement(
    title="spend",
    period=Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    dimensions=("model",),
    columns=COLUMNS,
    rows=(
        ("a|b", 1_200, 27_000, Fraction("8.02"), None, Fraction("0.6625")),
        ("", 1, 5, None, None, None),
    ),
    other=Other(3, (None, 7, 10, Fraction("0.00088"), None, Fraction(1, 3))),
    totals=(None, 1_208, 27_015, Fraction("8.02088"), None, Fraction(1)),
    notes=(Note("unpriced", {"calls": 1, "tokens": 12_345}),),
    calls=1_208,
)

ENGLISH = """\
Spend, from 2026-01-01 to before 2026-02-01

 model            calls   input (tokens)   cost (USD)    share
 ─────────────────────────────────────────────────────────────
 a|b              1,200           27,000        $8.02    66.3%
 (not given)          1                5            –        –
 Other (3 more)       7               10     $0.00088    33.3%
 ─────────────────────────────────────────────────────────────
 Total            1,208           27,015        $8.02   100.0%
Without a price, and not in the cost: 1 of the calls; tokens: 12,345.
"""  # noqa: RUF001 - a dash says "nothing here"

NARROW = """\
Pengeluaran, sejak 2026-01-01 sampai sebelum 2026-02-01

 model              panggilan   biaya (USD)
 ──────────────────────────────────────────
 a|b                    1.200         $8,02
 (tidak disebut)            1             –
 Lainnya (3 lagi)           7      $0,00088
 ──────────────────────────────────────────
 Total                  1.208         $8,02
1 panggilan dengan 12.345 token tanpa harga, di luar biaya.
Tidak muat di terminal sesempit ini: masukan (token), porsi. Pakai --format json untuk semua.
"""  # noqa: RUF001 - a dash says "nothing here"


def test_a_table_rounds_half_up_and_leaves_out_what_says_nothing() -> None:
    assert as_table(STATEMENT) == ENGLISH


def test_a_name_with_colons_in_it_is_printed_as_it_is() -> None:
    row = ("shop:key:[k]", *STATEMENT.rows[0][1:])
    assert " shop:key:[k] " in as_table(replace(STATEMENT, rows=(row,)))


def test_a_narrow_indonesian_table_says_which_columns_left() -> None:
    assert as_table(STATEMENT, "id", width=45) == NARROW


@pytest.mark.parametrize("width", range(20, 90, 7))
def test_names_calls_and_cost_never_leave_a_table(width: int) -> None:
    text = as_table(STATEMENT, width=width)
    assert "Other (3 more)" in text
    assert "1,208" in text
    assert "$0.00088" in text


def test_a_statement_without_figures_is_its_title_and_its_notes() -> None:
    empty = replace(STATEMENT, rows=(), other=None, totals=())
    heading = STATEMENT.columns[0].name
    for text in (as_table(empty), as_markdown(empty), rendered(empty, "html").decode()):
        assert "<th" not in text
        assert heading not in text.lower()


def test_markdown_survives_a_bar_in_a_name() -> None:
    assert as_markdown(STATEMENT).splitlines()[4:6] == [
        r"| a\|b | 1,200 | 27,000 | $8.02 | 66.3% |",
        "| (not given) | 1 | 5 | – | – |",  # noqa: RUF001 - a dash says "nothing here"
    ]


def test_a_page_of_a_statement_has_its_title_its_total_and_its_language() -> None:
    page = rendered(STATEMENT, "html", "id").decode()
    assert page.startswith('<!doctype html>\n<html lang="id">')
    assert page.count("<h1>") == page.count("<tfoot>") == 1
    assert "<script" not in page


def test_json_is_exact_sorted_and_names_its_version() -> None:
    text = as_json(STATEMENT)
    content = json.loads(text)
    assert json.dumps(content, sort_keys=True, indent=2) + "\n" == text
    assert content["version"] == 1
    assert content["period"] == {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
    assert content["rows"] == [
        {
            "model": "a|b",
            "calls": 1_200,
            "input": 27_000,
            "cost_usd": {"amount": "8.02", "currency": "USD"},
            "billed_usd": None,
            "share": "0.6625",
        },
        {
            "model": "",
            "calls": 1,
            "input": 5,
            "cost_usd": None,
            "billed_usd": None,
            "share": None,
        },
    ]
    assert content["other"]["groups"] == 3
    assert content["other"]["share"] == "0.333333"
    assert content["totals"]["cost_usd"] == {"amount": "8.02088", "currency": "USD"}
    assert content["notes"] == [{"code": "unpriced", "calls": 1, "tokens": 12_345}]


def test_csv_has_the_rows_and_the_others_and_no_total() -> None:
    assert list(csv.reader(StringIO(as_csv(STATEMENT)))) == [
        ["model", "calls", "input", "cost_usd", "billed_usd", "share"],
        ["a|b", "1200", "27000", "8.02", "", "0.6625"],
        ["", "1", "5", "", "", ""],
        ["Other (3 more)", "7", "10", "0.00088", "", "0.333333"],
    ]


def test_a_name_that_a_spreadsheet_would_run_begins_with_a_quote() -> None:
    row = ("=1+1", 1, 1, None, None, None)
    statement = Statement(title="spend", columns=COLUMNS, rows=(row,), totals=row)
    assert as_csv(statement).splitlines()[1] == "'=1+1,1,1,,,"


def test_parquet_holds_decimals_that_are_exact() -> None:
    table = pq.read_table(BytesIO(as_parquet(STATEMENT)))
    assert table["cost_usd"].to_pylist() == [Decimal("8.02"), None, Decimal("0.00088")]
    assert str(table.schema.field("cost_usd").type) == "decimal128(38, 12)"
    assert table["calls"].to_pylist() == [1_200, 1, 7]


def test_a_converted_amount_finer_than_its_currency_is_exact_in_parquet_too() -> None:
    column = Column("cost_idr", "cost", Kind.MONEY, "IDR")
    fine = Fraction(1, 10**15)
    statement = Statement(title="spend", columns=(column,), rows=((fine,),), totals=(fine,))
    table = pq.read_table(BytesIO(as_parquet(statement)))
    assert table["cost_idr"].to_pylist() == [Decimal("0.000000000000001")]


def test_every_form_gives_bytes_of_its_own_kind() -> None:
    assert rendered(STATEMENT, "table") == ENGLISH.encode()
    assert rendered(STATEMENT, "markdown").startswith(b"### Spend")
    assert rendered(STATEMENT, "json") == as_json(STATEMENT).encode()
    assert rendered(STATEMENT, "csv") == as_csv(STATEMENT).encode()
    assert rendered(STATEMENT, "parquet")[:4] == b"PAR1"


def test_a_statement_without_dimensions_is_one_row() -> None:
    columns = COLUMNS[1:2]
    statement = Statement(title="spend", columns=columns, rows=(), totals=(7,))
    lines = as_table(statement).splitlines()
    assert [line.strip() for line in lines if line.strip().isdigit()] == ["7"]


def test_decimals_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="never end"):
        exact_decimal(Fraction(1, 3))
