"""Plain tables of text and counts in six forms, for commands that list things.

Amounts of money come as decimal strings, made by the caller; a statement of spend is
`reports.statement`, which adds up.
"""

# The stubs of pyarrow leave the type parameters of arrays open.
# pyright: reportUnknownMemberType=false
import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Final, assert_never

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as RichTable

from tokonomi.reports.forms import Form
from tokonomi.reports.forms.cells import Grid
from tokonomi.reports.forms.html import html_page, html_section

VERSION: Final = 1
WIDE: Final = 1_000

Cell = str | int | bool | None
"""A text, a count, a yes or no, or None where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: its name for machines, and whether it stands right and may be left out.

    A column with `optional` is not shown to people when no row has anything in it.
    """

    name: str
    numeric: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings, with a title and notes that people read below it."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def tabulated(table: Table, form: Form, *, width: int | None = None) -> bytes:
    """The table in a form, as the bytes of a file; `width` bounds a terminal's table alone."""
    match form:
        case "table":
            return _as_text(table, width).encode()
        case "markdown":
            return _as_markdown(table).encode()
        case "html":
            return html_page(table.title, html_section(_grid(table), first=True), "en").encode()
        case "json":
            return _as_json(table).encode()
        case "csv":
            return _as_csv(table).encode()
        case "parquet":
            return _as_parquet(table)
        case _:
            assert_never(form)


def _shown(table: Table) -> list[int]:
    return [
        place
        for place, heading in enumerate(table.headings)
        if not heading.optional or any(row[place] not in {None, ""} for row in table.rows)
    ]


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case str():
            return cell


def _grid(table: Table) -> Grid:
    places = _shown(table)
    headings = [table.headings[place] for place in places]
    nothing = tuple("" for _ in places)
    return Grid(
        title=table.title,
        headings=tuple(heading.name.replace("_", " ") for heading in headings),
        to_the_right=tuple(heading.numeric for heading in headings),
        leaves=(None,) * len(places),
        rows=tuple(tuple(_text(row[place]) for place in places) for row in table.rows),
        total=nothing,
        notes=table.notes,
    )


def _as_text(table: Table, width: int | None) -> str:
    grid = RichTable(box=None, pad_edge=False)
    places = _shown(table)
    for place in places:
        heading = table.headings[place]
        justify = "right" if heading.numeric else "left"
        grid.add_column(heading.name.replace("_", " "), justify=justify, overflow="fold")
    for row in table.rows:
        grid.add_row(*(_text(row[place]) for place in places))
    lines = StringIO()
    # Names are told as they are: `shop:key:k-1` is no picture of a key.
    console = Console(file=lines, width=width or WIDE, highlight=False, markup=False, emoji=False)
    console.print(table.title)
    console.print(grid)
    for note in table.notes:
        console.print(note)
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines()) + "\n"


def _as_markdown(table: Table) -> str:
    places = _shown(table)
    headings = [table.headings[place] for place in places]
    lines = [f"**{table.title}**", ""]
    lines.append(_barred(heading.name.replace("_", " ") for heading in headings))
    lines.append(_barred("---:" if heading.numeric else "---" for heading in headings))
    lines += [_barred(_text(row[place]) for place in places) for row in table.rows]
    return "\n".join([*lines, *(f"\n{note}" for note in table.notes)]) + "\n"


def _barred(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _as_json(table: Table) -> str:
    names = [heading.name for heading in table.headings]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    content = {"version": VERSION, "title": table.title, "rows": rows, "notes": list(table.notes)}
    return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _as_csv(table: Table) -> str:
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(heading.name for heading in table.headings)
    writer.writerows(table.rows)
    return lines.getvalue()


def _as_parquet(table: Table) -> bytes:
    columns = {
        heading.name: [row[place] for row in table.rows]
        for place, heading in enumerate(table.headings)
    }
    file = BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()
