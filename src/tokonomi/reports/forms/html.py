"""Statements as one HTML page that holds all it needs: styles, pictures, no script, both themes."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from tokonomi.money import Locale
from tokonomi.reports.forms.cells import CODE, Grid, grid_of
from tokonomi.reports.forms.page_style import STYLE
from tokonomi.reports.statement import Statement


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture beside a table.

    Attributes:
        svg: the picture.
        about: what it shows, for readers who do not see it.
    """

    svg: str
    about: str


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that stands large at the head of a page, with what it is."""

    label: str
    figure: str
    about: str = ""


_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NO_FIGURES: Final[Mapping[str, tuple[Figure, ...]]] = {}


def as_html(statement: Statement, locale: Locale = "en") -> str:
    """The statement as a page of its own."""
    grid = grid_of(statement, locale)
    return html_page(grid.title, html_section(grid, first=True), locale)


def html_page(title: str, body: str, locale: Locale) -> str:
    """A page with this body. Nothing on it is fetched, and nothing runs."""
    return (
        f'<!doctype html>\n<html lang="{locale}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def sections_page(
    sections: Mapping[str, Statement],
    locale: Locale,
    *,
    head: str = "",
    figures: Mapping[str, tuple[Figure, ...]] = NO_FIGURES,
    closed: frozenset[str] = frozenset(),
) -> str:
    """Several statements on one page, with pictures above some tables, and some tables closed."""
    grids = {name: grid_of(statement, locale) for name, statement in sections.items()}
    body = head + "".join(
        html_section(
            grid,
            figures=figures.get(name, ()),
            first=not head and not place,
            closed=name in closed,
        )
        for place, (name, grid) in enumerate(grids.items())
    )
    return html_page(next(iter(grids.values())).title, body, locale)


def html_section(
    grid: Grid, *, figures: tuple[Figure, ...] = (), first: bool = False, closed: bool = False
) -> str:
    """A heading, pictures, a table and notes; a closed one shows its heading alone at first."""
    level = "h1" if first else "h2"
    pictures = "".join(
        f'<figure class="chart" role="img" aria-label="{escape(each.about)}">{each.svg}</figure>\n'
        for each in figures
    )
    notes = "".join(f"<li>{html_prose(note)}</li>" for note in grid.notes)
    listed = f'<ul class="notes">{notes}</ul>\n' if notes else ""
    content = f"{pictures}{html_table(grid)}{listed}"
    title = escape(grid.title)
    if closed:
        return f"<section><details><summary>{title}</summary>\n{content}</details></section>\n"
    return f"<section>\n<{level}>{title}</{level}>\n{content}</section>\n"


def html_prose(text: str) -> str:
    """A sentence as HTML; what stands between two backticks is code.

    >>> html_prose("See `a < b` & more, and a lone ` too.")
    'See <code>a &lt; b</code> &amp; more, and a lone ` too.'
    """
    return CODE.sub(r"<code>\1</code>", escape(text))


def html_table(grid: Grid) -> str:
    """The grid as a table whose numbers stand right, in digits of one width; empty without any."""
    if not grid.has_figures:
        return ""
    sides = [' class="number"' if right else "" for right in grid.to_the_right]
    headings = "".join(
        f'<th scope="col"{side}>{escape(text)}</th>'
        for text, side in zip(grid.headings, sides, strict=True)
    )
    rows = "".join(f"<tr>{_cells(row, sides)}</tr>\n" for row in grid.rows)
    total = f"<tfoot><tr>{_cells(grid.total, sides)}</tr></tfoot>\n" if any(grid.total) else ""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(grid.title)}"><table>\n'
        f"<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}</tbody>\n{total}</table></div>\n"
    )


def _cells(row: tuple[str, ...], sides: list[str]) -> str:
    return "".join(f"<td{side}>{escape(text)}</td>" for text, side in zip(row, sides, strict=True))


def html_cards(cards: list[Card]) -> str:
    """The figures that a reader looks for first."""
    each = "".join(
        f'<div class="card"><div class="label">{escape(card.label)}</div>'
        f'<div class="figure">{escape(card.figure)}</div>'
        f'<div class="about">{escape(card.about)}</div></div>\n'
        for card in cards
    )
    return f'<div class="cards">\n{each}</div>\n' if each else ""
