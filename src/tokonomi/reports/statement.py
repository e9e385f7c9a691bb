"""A statement: rows of exact figures with their units, totals, and what must be said beside them.

It knows nothing of how it is shown. Forms (`reports.forms`) turn it into text or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from tokonomi.storage.analytics import ALWAYS, Period

Cell = str | int | Fraction | None
"""A text, a count, an exact amount in whole units of its column's currency (or an exact share), or
None where there is nothing to say, which is not 0."""

Row = tuple[Cell, ...]


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    SHARE = "share"
    NUMBER = "number"
    WORD = "word"
    """A text of ours, which is translated for readers."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a statement.

    Attributes:
        name: stable, for machines; a dimension's own name, or a measure with its currency.
        title: what a reader is shown, before translation.
        kind: what its cells are.
        unit: "calls", "tokens", the code of a currency, or empty.
        optional: whether readers are spared it when no cell says anything.
        leaves: when the terminal is too narrow, columns leave in rising order; None stays.
        decimals: shown to readers, where the usual number of them is not meant.
        signed: whether what is above 0 has a plus sign.
    """

    name: str
    title: str
    kind: Kind
    unit: str = ""
    optional: bool = False
    leaves: int | None = None
    decimals: int | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something that must be said beside the figures, with its own exact figures."""

    code: str
    figures: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


@dataclass(frozen=True, slots=True)
class Other:
    """The groups that are not shown one by one, as one row, so that totals stay equal."""

    groups: int
    row: Row


@dataclass(frozen=True, slots=True)
class Statement:
    """One table of exact figures.

    Attributes:
        title: what it is about, before translation.
        period: the calls' instants, in UTC; None where it speaks of no calls that were made.
        dimensions: names of the first columns, by which the rows differ.
        columns: of every row, the dimensions first.
        rows: in the order in which they are to be read.
        other: the rest of the rows as one, when there are more than were asked for.
        totals: of all rows, shown or not; None where a total says nothing. Empty without a total.
        notes: in the order in which they are to be read.
        calls: how many calls it speaks of.
        subject: whose table it is, before the title.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: Row
    dimensions: tuple[str, ...] = ()
    period: Period | None = ALWAYS
    other: Other | None = None
    notes: tuple[Note, ...] = ()
    calls: int = 0
    subject: str = ""

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """The rows and, when there is one, the row of the others."""
        return self.rows if self.other is None else (*self.rows, self.other.row)

    def said(self, place: int) -> bool:
        """Whether any cell of a column says something that is not 0."""
        totals = (self.totals,) if self.totals else ()
        return any(row[place] for row in (*self.all_rows, *totals))


def exact_decimal(value: Fraction) -> str:
    """The plain decimal string of a fraction whose decimals end, without trailing zeros.

    >>> exact_decimal(Fraction(88, 100_000)), exact_decimal(Fraction(27_000))
    ('0.00088', '27000')

    Raises:
        ValueError: the decimals never end.
    """
    digits = 0
    rest = value.denominator
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        digits = max(digits, count)
    if rest != 1:
        raise ValueError(f"the decimals of {value} never end")
    scaled = abs(value.numerator) * 10**digits // value.denominator
    text = f"{scaled:0{digits + 1}d}"
    sign = "-" if value < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def iso(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC, or None."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")
