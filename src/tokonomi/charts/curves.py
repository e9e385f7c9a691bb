"""Charts of lines: fans of months, break-even of two costs, margins by mix."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import floor, log10

import altair as alt

from tokonomi.charts.draw import MONEY, Drawing, rows_of
from tokonomi.charts.theme import ACCENT, BAD, QUIET, WIDTH, colours_of

HEIGHT = 260


@dataclass(frozen=True, slots=True)
class Band:
    """A month of a fan: the tenth, the middle and the ninetieth percentile."""

    month: int
    low: float
    middle: float
    high: float


def fan(bands: Sequence[Band], *, month: str, budget: float | None) -> Drawing:
    """Percentiles month by month, with the budget as a line where there is one."""
    rows = [
        {"month": each.month, "low": each.low, "middle": each.middle, "high": each.high}
        for each in bands
    ]
    chart = alt.Chart(rows_of(rows))
    x = alt.X("month:Q", title=month, axis=alt.Axis(tickMinStep=1, format="d", grid=False))
    y = alt.Y("low:Q", title=None, axis=alt.Axis(labelExpr=MONEY))
    area = chart.mark_area(color=ACCENT, opacity=0.22).encode(x=x, y=y, y2="high:Q")
    line = chart.mark_line(color=ACCENT, point=True).encode(x=x, y="middle:Q")
    layers = [area, line]
    if budget is not None:
        rule = alt.Chart(rows_of([{"budget": budget}]))
        layers.append(rule.mark_rule(color=BAD, strokeDash=[5, 4]).encode(y="budget:Q"))
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


class Axes(Enum):
    """What both axes of lines measure."""

    SHARES = auto()
    """Percent, with a line at 0."""
    ORDERS = auto()
    """Orders of magnitude: each tenfold is as far as the next."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line."""

    line: str
    x: float
    y: float


def lines(points: Sequence[Point], *, x: str, axes: Axes) -> Drawing:
    """Lines over one number, in the order of their points."""
    names = list(dict.fromkeys(point.line for point in points))
    rows = [
        {"line": point.line, "x": point.x, "y": point.y, "order": order}
        for order, point in enumerate(points)
    ]
    shares = axes is Axes.SHARES
    if shares:
        scale, ticks = alt.Scale(), alt.Axis(format=".0%")
        across = alt.Axis(format=".0%", grid=False)
    else:
        scale = alt.Scale(type="log", nice=False)
        ticks = alt.Axis(labelExpr=MONEY, values=_ticks([point.y for point in points]))
        across = alt.Axis(format="~s", grid=False, values=_ticks([point.x for point in points]))
    drawn = (
        alt.Chart(rows_of(rows))
        .mark_line()
        .encode(
            x=alt.X("x:Q", title=x, axis=across, scale=scale),
            y=alt.Y("y:Q", title=None, axis=ticks, scale=scale),
            order=alt.Order("order:Q"),
            color=alt.Color(
                "line:N", sort=names, scale=alt.Scale(domain=names, range=colours_of(names))
            ),
        )
    )
    if not shares:
        return drawn.properties(width=WIDTH, height=HEIGHT)
    zero = alt.Chart(rows_of([{"y": 0}])).mark_rule(color=QUIET).encode(y="y:Q")
    return alt.layer(drawn, zero).properties(width=WIDTH, height=HEIGHT)


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of each order of magnitude, as far as the values go.

    >>> _ticks([3, 60])
    [5.0, 10.0, 20.0, 50.0]
    """
    low, high = min(values), max(values)
    orders = range(floor(log10(low)), floor(log10(high)) + 1)
    return [each for order in orders for each in _steps(order) if low <= each <= high]


def _steps(order: int) -> tuple[float, ...]:
    return tuple(digit * 10.0**order for digit in (1, 2, 5))
