"""Plain tables in six forms."""

import json
from io import BytesIO

import pyarrow.parquet as pq

from tokonomi.reports.tables import Heading, Table, tabulated

TABLE = Table(
    "Things",
    (Heading("name"), Heading("count", numeric=True), Heading("odd"), Heading("x", optional=True)),
    (("a|b", 1_234, True, None), ("c", None, False, "")),
    ("A note.",),
)


def test_a_table_for_people_groups_digits_and_leaves_empty_columns_out() -> None:
    assert tabulated(TABLE, "table").decode().splitlines() == [
        "Things",
        "name  count  odd",
        "a|b   1,234  yes",
        "c            no",
        "A note.",
    ]


def test_a_narrow_terminal_folds_and_never_cuts() -> None:
    long = Table("T", (Heading("name"),), (("abcdefghij" * 3,),))
    lines = tabulated(long, "table", width=10).decode().splitlines()
    assert "".join(lines[2:]) == "abcdefghij" * 3


def test_a_name_with_colons_in_it_is_printed_as_it_is() -> None:
    wallet = "acme/shop:key:key_7"
    table = Table(f"Wallet {wallet}", (Heading("wallet"),), ((wallet,),), ("Free is x:free: so.",))
    assert tabulated(table, "table").decode().splitlines() == [
        f"Wallet {wallet}",
        "wallet",
        wallet,
        "Free is x:free: so.",
    ]


def test_markdown_escapes_the_bars_in_its_cells() -> None:
    assert tabulated(TABLE, "markdown").decode() == (
        "**Things**\n\n| name | count | odd |\n| --- | ---: | --- |\n"
        "| a\\|b | 1,234 | yes |\n| c |  | no |\n\nA note.\n"
    )


def test_a_page_has_the_cells_that_people_see_and_escapes_them() -> None:
    odd = Table("<T>", TABLE.headings, (("<b>", 1_234, True, None),), ("A & B.",))
    page = tabulated(odd, "html").decode()
    assert "<h1>&lt;T&gt;</h1>" in page
    assert '<tr><td>&lt;b&gt;</td><td class="number">1,234</td><td>yes</td></tr>' in page
    assert "<li>A &amp; B.</li>" in page


def test_machines_get_every_column_and_plain_values() -> None:
    told = json.loads(tabulated(TABLE, "json"))
    assert told == {
        "version": 1,
        "title": "Things",
        "notes": ["A note."],
        "rows": [
            {"name": "a|b", "count": 1_234, "odd": True, "x": None},
            {"name": "c", "count": None, "odd": False, "x": ""},
        ],
    }
    assert tabulated(TABLE, "csv").decode() == "name,count,odd,x\na|b,1234,True,\nc,,False,\n"
    table = pq.read_table(BytesIO(tabulated(TABLE, "parquet")))  # pyright: ignore[reportUnknownMemberType]
    assert table.column("count").to_pylist() == [1_234, None]
