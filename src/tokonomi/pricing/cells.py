"""Price cells: the book's rows cut into disjoint boxes of time, week and context, as a table.

A cell is what a join can look up: one rate per meter, parents resolved, and the ranges in which
they hold. Every instant and context of a model lies in at most one cell of it.
"""

# The stubs of pyarrow leave the type parameters of arrays and fields open.
# pyright: reportUnknownMemberType=false
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import pyarrow as pa

from tokonomi.money import INT64_MAX, checked_int64
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.row import DAY_MINUTES, FOREVER, Meter, PriceRow, SearchUnit
from tokonomi.pricing.schedule import Schedule
from tokonomi.usage import STANDARD_TIER

ALL_WEEKDAYS: Final = 0b111_1111
_MONDAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_INSTANT: Final = pa.timestamp("us", tz="UTC")

RATE_COLUMN: Final = {meter: f"rate_{meter.value}" for meter in Meter}

CELL_SCHEMA: Final = pa.schema(
    [
        pa.field("provider", pa.string()),
        pa.field("model", pa.string()),
        pa.field("tier", pa.string()),
        pa.field("batch", pa.bool_()),
        pa.field("at_from", _INSTANT),
        pa.field("at_to", _INSTANT),
        pa.field("weekdays", pa.int64()),
        pa.field("minute_from", pa.int64()),
        pa.field("minute_to", pa.int64()),
        pa.field("ctx_from", pa.int64()),
        pa.field("ctx_to", pa.int64()),
        pa.field("row_id", pa.string()),
        pa.field("currency", pa.string()),
        pa.field("search_per_prompt", pa.bool_()),
        *(pa.field(name, pa.int64()) for name in RATE_COLUMN.values()),
    ]
)
"""Ranges begin inclusive and end exclusive; `weekdays` is a bit mask from Monday, 1, to Sunday, 64;
rates are sub-units per unit, NULL where the price is unknown."""


class PriceKey(NamedTuple):
    """What a usage row names: the names as they stand there, whatever the book resolves them to."""

    provider: str
    model: str
    tier: str = STANDARD_TIER
    batch: bool = False


class _Box(NamedTuple):
    """A row, and the stretch of time and part of the week in which it wins."""

    start: datetime
    end: datetime
    weekdays: int
    minute_from: int
    minute_to: int
    row: PriceRow


def price_cells(book: PriceBook, keys: Iterable[PriceKey]) -> pa.Table:
    """The cells of these names, a table of `CELL_SCHEMA`; a name without prices has none.

    Raises:
        AmountTooLarge: a rate does not fit 64 bits.
    """
    records = [
        (*key, *cell)
        for key in dict.fromkeys(keys)
        for box in _boxes(book.schedule(key.provider, key.model, key.tier, batch=key.batch))
        for cell in _by_context(box)
    ]
    columns = zip(*records, strict=True) if records else ((),) * len(CELL_SCHEMA)
    return pa.Table.from_pydict(
        {name: list(values) for name, values in zip(CELL_SCHEMA.names, columns, strict=True)},
        schema=CELL_SCHEMA,
    )


def _by_context(box: _Box) -> Iterator[tuple[object, ...]]:
    end = INT64_MAX
    for bracket in box.row.brackets:
        if bracket.first_tokens < end:
            yield (
                *box[:-1],
                bracket.first_tokens,
                end,
                box.row.id,
                box.row.currency,
                box.row.search_unit is SearchUnit.PROMPT,
                *(None if rate is None else checked_int64(rate) for rate in bracket.rates),
            )
        end = bracket.first_tokens


def _boxes(schedule: Schedule) -> Iterator[_Box]:
    ends = [span.start for span in schedule.spans[1:]] + [FOREVER]
    for span, end in zip(schedule.spans, ends, strict=True):
        special = _special_days(span.rows)
        midnights = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in special)
        cuts = {at for day in midnights for at in (day, day + _DAY) if span.start < at < end}
        for start, stop in pairwise(sorted({span.start, end, *cuts})):
            day = start.date() if start.date() in special else None
            for weekdays, minute_from, minute_to, row in _week(span.rows, day):
                yield _Box(start, stop, weekdays, minute_from, minute_to, row)


def _special_days(rows: Sequence[PriceRow]) -> frozenset[date]:
    """Days on which a window does not hold as on other days of the week, because of a calendar.

    A window over midnight that a holiday keeps shut is missing on the next morning too.
    """
    closed = {day for row in rows if row.window for day in row.window.closed_on}
    return frozenset(closed | {day + _DAY for day in closed})


def _week(rows: Sequence[PriceRow], day: date | None) -> Iterator[tuple[int, int, int, PriceRow]]:
    """Who wins when in an ordinary week, or on one day: weekdays, minutes from and to, the row."""
    windows = [row.window for row in rows if row.window]
    edges = {0, DAY_MINUTES, *(m for w in windows for m in (w.from_minute, w.to_minute))}
    for minute_from, minute_to in pairwise(sorted(edges)):
        masks: dict[int, int] = {}
        for weekday in range(7):
            midnight = _MONDAY + weekday * _DAY
            if day is not None:
                midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            at = midnight + timedelta(minutes=minute_from)
            winner = _winner(rows, at, calendar=day is not None)
            if winner is not None:
                masks[winner] = masks.get(winner, 0) | 1 << weekday
        for index, mask in masks.items():
            yield mask, minute_from, minute_to, rows[index]


def _winner(rows: Sequence[PriceRow], at: datetime, *, calendar: bool) -> int | None:
    for index, row in enumerate(rows):
        window = row.window
        if window is None:
            return index
        if (window if calendar else replace(window, closed_on=frozenset())).holds(at):
            return index
    return None
