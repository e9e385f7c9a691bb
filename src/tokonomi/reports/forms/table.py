"""A statement as a table for a terminal."""

from io import StringIO

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tokonomi.money import Locale
from tokonomi.reports.forms.cells import Grid, grid_of
from tokonomi.reports.statement import Statement
from tokonomi.reports.words import word

_PADDING = 2
_MARGIN = 2


def as_table(
    statement: Statement, locale: Locale = "en", *, width: int | None = None, colour: bool = False
) -> str:
    """The statement as lines of text, at most `width` characters wide where that is possible.

    On a narrow terminal whole columns leave in a fixed order (what is derived or said elsewhere
    first; names, calls, cost and unpriced calls never), and a line says which. A figure is never
    cut. Without a width nothing leaves.
    """
    grid = grid_of(statement, locale)
    kept = _kept(grid, width)
    places = [place for place in range(len(grid.headings)) if place in kept]
    table = Table(
        box=SIMPLE,
        show_footer=bool(statement.dimensions and statement.totals),
        title=None,
        pad_edge=False,
    )
    for place in places:
        justify = "right" if grid.to_the_right[place] else "left"
        heading, total = escape(grid.headings[place]), escape(grid.total[place])
        table.add_column(heading, total, justify=justify, no_wrap=True)
    alone = bool(statement.totals) and not statement.dimensions
    for row in grid.rows or ((grid.total,) if alone else ()):
        table.add_row(*(escape(row[place]) for place in places))
    lines = StringIO()
    console = Console(
        file=lines, width=10_000, force_terminal=colour, no_color=not colour, emoji=False
    )
    console.print(table)
    text = "\n".join(line.rstrip() for line in lines.getvalue().splitlines())
    left_out = [heading for place, heading in enumerate(grid.headings) if place not in kept]
    notes = list(grid.notes)
    if left_out:
        notes.append(word("left_out", locale, columns=", ".join(left_out)))
    body = [text.rstrip()] if grid.has_figures else []
    return "\n".join([grid.title, *body, *notes]) + "\n"


def _kept(grid: Grid, width: int | None) -> set[int]:
    """The places of the columns that fit: the first to leave have the lowest number."""
    kept = set(range(len(grid.headings)))
    leaving = sorted((order, place) for place, order in enumerate(grid.leaves) if order is not None)
    for _, place in leaving:
        if width is None or _width(grid, kept) <= width:
            break
        kept.discard(place)
    return kept


def _width(grid: Grid, kept: set[int]) -> int:
    every = (grid.headings, grid.total, *grid.rows)
    return _MARGIN + sum(max(len(row[place]) for row in every) + _PADDING for place in kept)
