"""Charts of lines: fans of months, break-even of two costs, margins by mix."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line."""

    line: str
    x: float
    y: float


def lines(points: Sequence[Point], *, x: str, shares: bool = False) -> Drawing:
    """Lines over one number; shares have percent on both axes, and a line at 0."""
    names = list(dict.fromkeys(point.line for point in points))
    rows = [{"line": point.line, "x": point.x, "y": point.y} for point in points]
    across = alt.Axis(format=".0%", grid=False) if shares else alt.Axis(format="~s", grid=False)
    upwards = alt.Axis(format=".0%") if shares else alt.Axis(labelExpr=MONEY)
    drawn = (
        alt.Chart(rows_of(rows))
        .mark_line()
        .encode(
            x=alt.X("x:Q", title=x, axis=across),
            y=alt.Y("y:Q", title=None, axis=upwards),
            color=alt.Color(
                "line:N", sort=names, scale=alt.Scale(domain=names, range=colours_of(names))
            ),
        )
    )
    zero = alt.Chart(rows_of([{"y": 0}])).mark_rule(color=QUIET).encode(y="y:Q")
    return alt.layer(drawn, zero).properties(width=WIDTH, height=HEIGHT)
