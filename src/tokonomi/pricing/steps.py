"""Ranges told as numbered steps, so that a join on them needs equality alone.

The edges of all ranges of one kind cut its axis into steps. A cell is repeated for each step that
it covers, a usage row has the number of edges at or below it, and the two are joined by that
number. A hash join by equality finds its one cell at once; one by ranges tries each of the model's.
"""

# The stubs of pyarrow leave the type parameters of arrays open.
# pyright: reportUnknownMemberType=false
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from tokonomi.money import INT64_MAX
from tokonomi.pricing.row import FOREVER

MOST_EDGES: Final = 16
"""Edges up to which steps are cheaper than ranges: each is a comparison for every usage row."""
MOST_CELLS: Final = 100_000
"""Cells beyond which repeating them costs more memory than the steps save time."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What is cut: the columns of a range in the cells, and the values that mean "no edge"."""

    low: str
    high: str
    step: str
    least: datetime | int
    greatest: datetime | int


EVER: Final = datetime.min  # noqa: DTZ901 - instants are compared without their zone, which is UTC

INSTANTS: Final = Axis("at_from", "at_to", "step_at", EVER, FOREVER.replace(tzinfo=None))
CONTEXTS: Final = Axis("ctx_from", "ctx_to", "step_ctx", 0, INT64_MAX)


def edges_of(cells: pa.Table, axis: Axis) -> list[Any]:
    """The edges of an axis, rising; none when all cells reach from end to end."""
    values = {*_plain(cells, axis.low), *_plain(cells, axis.high)}
    return sorted(values - {axis.least, axis.greatest})


def stepped(cells: pa.Table, axis: Axis, edges: list[Any]) -> pa.Table:
    """The cells, each repeated for every step that it covers, with the step in a column."""
    places: list[int] = []
    steps: list[int] = []
    pairs = zip(_plain(cells, axis.low), _plain(cells, axis.high), strict=True)
    for place, (low, high) in enumerate(pairs):
        end = len(edges) + 1 if high == axis.greatest else bisect_right(edges, high)
        covered = range(0 if low == axis.least else bisect_right(edges, low), end)
        steps += covered
        places += [place] * len(covered)
    return cells.take(pa.array(places, pa.int64())).append_column(
        axis.step, pa.array(steps, pa.int64())
    )


def few(cells: pa.Table, edges: list[Any], most_edges: int) -> bool:
    """Whether steps on these edges are worth it."""
    return len(edges) <= most_edges and cells.num_rows * (len(edges) + 1) <= MOST_CELLS


def _plain(cells: pa.Table, column: str) -> list[Any]:
    """The values of a column; instants without their zone, which is UTC."""
    values = cells[column].to_pylist()
    return [v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in values]
