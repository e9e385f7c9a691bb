"""Which of a model's rows holds when: rows of one tier laid out in time."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import Rank
from tokonomi.pricing.row import BEGINNING, FOREVER, PriceRow

_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row and the rank of where it comes from."""

    rank: Rank
    row: PriceRow


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, from `start` on, and the rows that may hold in it, the winner first.

    All but the last have a window; the last holds whenever none of those does.
    """

    start: datetime
    rows: tuple[PriceRow, ...]


class Schedule:
    """The rows of one model, tier and batch mode, by time.

    A row that begins at `BEGINNING` holds since ever, and one that ends at `FOREVER` for ever.
    Precedence among rows that are valid at an instant: the higher rank, then a row with a window
    over one without, then the later `valid_from`, then the later in its file.
    """

    def __init__(self, rows: Iterable[RankedRow], *, missing: str) -> None:
        self.missing = missing
        self.spans = _spans(list(rows))
        self._starts = [span.start for span in self.spans]
        self._only: PriceRow | Unpriced | None = None
        if not any(span.rows for span in self.spans):
            self._only = Unpriced(missing)
        elif len(self.spans) == 1 and self.spans[0].rows[0].window is None:
            self._only = self.spans[0].rows[0]

    def at(self, instant: datetime) -> PriceRow | Unpriced:
        """The row that holds at an instant in UTC, or that none does."""
        if self._only is not None:
            return self._only
        for row in self.spans[bisect_right(self._starts, instant) - 1].rows:
            if row.window is None or row.window.holds(instant):
                return row
        return Unpriced(f"{self.missing} at {instant:%Y-%m-%d %H:%M} UTC")


def _spans(rows: Sequence[RankedRow]) -> list[Span]:
    order = sorted(
        enumerate(rows),
        key=lambda pair: (
            pair[1].rank,
            pair[1].row.window is not None,
            pair[1].row.valid_from,
            pair[0],
        ),
        reverse=True,
    )
    ranked = [pair.row for _, pair in order]
    starts = {_since(row) for row in ranked} | {row.valid_to for row in ranked}
    spans: list[Span] = []
    for start in sorted((starts | {_FIRST}) - {FOREVER}):
        valid = tuple(_until_sure(r for r in ranked if _since(r) <= start < r.valid_to))
        if not spans or spans[-1].rows != valid:
            spans.append(Span(start, valid))
    return spans


def _since(row: PriceRow) -> datetime:
    return _FIRST if row.valid_from == BEGINNING else row.valid_from


def _until_sure(rows: Iterable[PriceRow]) -> Iterable[PriceRow]:
    for row in rows:
        yield row
        if row.window is None:
            return
