"""Statements as grids of text for people, in their language, each figure rounded once."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tokonomi.money import Locale, format_amount, format_number, format_percent
from tokonomi.reports.statement import Cell, Column, Kind, Row, Statement
from tokonomi.reports.words import named, note_text, period_text, word

NOTHING: Final = "–"  # noqa: RUF001 - a dash of the width of a digit says "nothing here"
CODE: Final = re.compile(r"`([^`\n]+)`")
"""What a note shows as code: a command, a key."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A statement in words: headings, rows and the total, column by column.

    `leaves` says for each column when it leaves a narrow terminal, None for never.
    """

    title: str
    headings: tuple[str, ...]
    to_the_right: tuple[bool, ...]
    leaves: tuple[int | None, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def has_figures(self) -> bool:
        """Whether there is a row or a total; without one headings say nothing, and notes all."""
        return bool(self.rows) or any(self.total)


def grid_of(statement: Statement, locale: Locale) -> Grid:
    """The statement in words; optional columns that say nothing are left out."""
    places = [
        place
        for place, column in enumerate(statement.columns)
        if not column.optional or statement.said(place)
    ]
    columns = [statement.columns[place] for place in places]

    def shown(row: Row) -> list[str]:
        return [
            cell_text(row[place], column, locale)
            for place, column in zip(places, columns, strict=True)
        ]

    rows = [tuple(shown(row)) for row in statement.rows]
    if statement.other is not None:
        groups = format_number(statement.other.groups, decimals=0, locale=locale)
        name = word("other", locale, groups=groups)
        rows.append(_named(name, shown(statement.other.row), statement))
    total = tuple("" for _ in columns)
    if statement.totals:
        total = _named(word("total", locale), shown(statement.totals), statement)
    return Grid(
        title=title_of(statement, locale),
        headings=tuple(_heading(column, locale) for column in columns),
        to_the_right=tuple(column.kind not in {Kind.TEXT, Kind.WORD} for column in columns),
        leaves=tuple(column.leaves for column in columns),
        rows=tuple(rows),
        total=total,
        notes=tuple(note_text(note, locale) for note in statement.notes),
    )


def title_of(statement: Statement, locale: Locale) -> str:
    """What a statement is about: whose it is, what it shows, and of which time."""
    title = word(statement.title, locale)
    if statement.subject:
        title = f"{statement.subject}: {title}"
    if statement.period is None:
        return title
    return f"{title}, {period_text(statement.period, locale)}"


def cell_text(cell: Cell, column: Column, locale: Locale) -> str:
    """A cell as a reader sees it: money and shares rounded half-up, nothing as a dash."""
    match column.kind, cell:
        case Kind.TEXT, "":
            return word("not given", locale)
        case _, None:
            return "" if column.kind in {Kind.TEXT, Kind.WORD} else NOTHING
        case Kind.WORD, str():
            return named(cell, locale)
        case Kind.COUNT, int():
            return format_number(cell, decimals=0, locale=locale)
        case _, Fraction():
            return _figure(cell, column, locale)
        case _:
            return str(cell)


def _figure(value: Fraction, column: Column, locale: Locale) -> str:
    sign = "+" if column.signed and value > 0 else ""
    match column.kind:
        case Kind.MONEY:
            text = format_amount(value, column.unit, locale, decimals=column.decimals)
        case Kind.SHARE:
            decimals = 1 if column.decimals is None else column.decimals
            text = format_percent(value, decimals=decimals, locale=locale)
        case _:
            text = format_number(value, decimals=column.decimals or 0, locale=locale)
    return sign + text


def _heading(column: Column, locale: Locale) -> str:
    title = named(column.title, locale)
    shows_unit = column.unit and column.unit not in {column.title, "calls"}
    return f"{title} ({named(column.unit, locale)})" if shows_unit else title


def _named(name: str, row: list[str], statement: Statement) -> tuple[str, ...]:
    """The row under a name that spans its dimensions; a statement without them has no names."""
    return (name, *row[1:]) if statement.dimensions else tuple(row)
