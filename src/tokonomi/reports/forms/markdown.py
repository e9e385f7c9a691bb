"""A statement as Markdown, for pull requests and notes."""

import re
from collections.abc import Iterable
from typing import Final

from tokonomi.money import Locale
from tokonomi.reports.forms.cells import CODE, grid_of
from tokonomi.reports.statement import Statement

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|])")


def as_markdown(statement: Statement, locale: Locale = "en") -> str:
    """The statement as a heading, a table and a list of notes."""
    grid = grid_of(statement, locale)
    rule = ["---:" if right else "---" for right in grid.to_the_right]
    total = tuple(f"**{_escaped(cell)}**" if cell else "" for cell in grid.total)
    rows = [tuple(map(_escaped, row)) for row in grid.rows]
    lines = [f"### {grid.title}"]
    if grid.has_figures:
        lines += ["", _line(map(_escaped, grid.headings)), _line(rule)]
        lines += [*map(_line, rows), *([_line(total)] if statement.totals else [])]
    if grid.notes:
        lines += ["", *(f"- {_prose(note)}" for note in grid.notes)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _prose(note: str) -> str:
    """A note, of which only what stands between two backticks is left as it is."""
    words = CODE.split(" ".join(note.splitlines()))
    return "".join(f"`{each}`" if place % 2 else _marked(each) for place, each in enumerate(words))


def _escaped(text: str) -> str:
    """Names come from outside: a line break or a bar in one must not break the table."""
    return _marked(" ".join(text.splitlines()))


def _marked(line: str) -> str:
    return _SPECIAL.sub(r"\\\1", line)
