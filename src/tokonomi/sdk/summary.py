"""Costs as people read them: a few lines of text, or a table for a notebook."""

from dataclasses import dataclass
from html import escape
from typing import Final

from tokonomi.money import Money

_HEADINGS: Final = ("model", "calls", "input", "output", "cost")
_NO_COST: Final = "unpriced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The sums of one group of calls; the last line is the total and has no name.

    Attributes:
        name: what the group is called.
        calls: attempts at a provider.
        input_tokens: of all whose usage is known.
        output_tokens: likewise.
        unpriced: calls without a cost.
        estimated: calls whose tokens are an estimate.
        amounts: the exact cost of the others.
    """

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    unpriced: int
    estimated: int
    amounts: tuple[Money, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """What the line shows under the headings; each amount is rounded once."""
        return (
            self.name or "total",
            f"{self.calls:,}",
            f"{self.input_tokens:,}",
            f"{self.output_tokens:,}",
            self.cost,
        )

    @property
    def cost(self) -> str:
        """The amounts as they are read; a cost that is not known is not 0."""
        return " + ".join(amount.format() for amount in self.amounts) or (
            _NO_COST if self.calls else "-"
        )

    @property
    def remarks(self) -> list[str]:
        """What is to be known of the figures."""
        counts = ((self.unpriced, "without a price"), (self.estimated, "with estimated tokens"))
        return [f"{_calls(count)} {what}" for count, what in counts if count]


def as_text(lines: list[Line]) -> str:
    """The lines as a table of text, with its remarks below."""
    rows = [_HEADINGS, *(line.cells for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADINGS))]
    table = "\n".join(_aligned(row, widths) for row in rows)
    return "\n".join([table, *(f"{remark}." for remark in lines[-1].remarks)])


def as_html(lines: list[Line]) -> str:
    """The lines as an HTML table; names come from outside, so every text is escaped."""
    head = "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    *groups, total = [_html_row(line) for line in lines]
    remarks = "".join(f"<p>{escape(remark)}.</p>" for remark in lines[-1].remarks)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(groups)}</tbody>"
        f"<tfoot>{total}</tfoot></table>{remarks}"
    )


def _calls(count: int) -> str:
    return f"{count:,} call" if count == 1 else f"{count:,} calls"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    name, *figures = row
    right = (cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))
    return "  ".join([name.ljust(widths[0]), *right])


def _html_row(line: Line) -> str:
    name, *figures = (escape(cell) for cell in line.cells)
    cells = "".join(f'<td style="text-align: right">{figure}</td>' for figure in figures)
    return f"<tr><td>{name}</td>{cells}</tr>"
