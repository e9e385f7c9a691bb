"""Charts of bars: stacks, waterfalls and tornados."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from tokonomi.charts.draw import MONEY, Drawing, rows_of
from tokonomi.charts.theme import ACCENT, BAD, GOOD, INK, LINE, PLAIN, QUIET, WIDTH, colours_of

ROW = 34


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: on which bar it lies, what it stands for, and how long it is."""

    bar: str
    name: str
    amount: float


def stacked(pieces: Sequence[Piece], names: Sequence[str]) -> alt.Chart:
    """Bars one below the other, each of coloured parts, which lie in the order of `names`."""
    bars = list(dict.fromkeys(piece.bar for piece in pieces))
    names = [name for name in names if any(piece.name == name for piece in pieces)]
    rows = [
        {"bar": each.bar, "name": each.name, "amount": each.amount, "order": names.index(each.name)}
        for each in pieces
    ]
    return (
        alt.Chart(rows_of(rows))
        .mark_bar()
        .encode(
            y=alt.Y("bar:N", sort=bars, title=None, axis=alt.Axis(domain=False, ticks=False)),
            x=alt.X("amount:Q", title=None, axis=alt.Axis(labelExpr=MONEY, tickCount=6)),
            color=alt.Color(
                "name:N", sort=names, scale=alt.Scale(domain=names, range=colours_of(names))
            ),
            order=alt.Order("order:Q"),
        )
        .properties(width=WIDTH, height=ROW * len(bars) + 6)
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a waterfall: up or down from where the last one ended, or a total from 0."""

    name: str
    amount: float
    total: bool = False


def waterfall(steps: Sequence[Step], labels: Sequence[str]) -> Drawing:
    """Steps one below the other, each from where the last one ended; totals stand on 0."""
    rows: list[dict[str, object]] = []
    at = 0.0
    for step, label in zip(steps, labels, strict=True):
        start = 0.0 if step.total else at
        at = start + step.amount
        colour = ACCENT if step.total else GOOD if step.amount < 0 else PLAIN
        rows.append(
            {"name": step.name, "start": start, "end": at, "label": label, "colour": colour}
        )
        rows[-1]["edge"] = max(start, at)
    names = [step.name for step in steps]
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(domain=False, ticks=False))
    chart = alt.Chart(rows_of(rows))
    bars = chart.mark_bar().encode(
        y=y,
        x=alt.X("start:Q", title=None, axis=alt.Axis(labelExpr=MONEY, tickCount=6)),
        x2="end:Q",
        color=alt.Color("colour:N", scale=None),
    )
    text = chart.mark_text(align="left", dx=5, color=INK).encode(y=y, x="edge:Q", text="label:N")
    return alt.layer(bars, text).properties(width=WIDTH, height=ROW * len(names) + 6)


@dataclass(frozen=True, slots=True)
class Swing:
    """What one input does to the cost: at its low value and at its high one, with their texts."""

    name: str
    low: float
    high: float
    low_text: str
    high_text: str


def tornado(swings: Sequence[Swing], mean: float, effects: tuple[str, str]) -> Drawing:
    """The inputs that move the cost, the strongest first, around the cost at the means.

    The colour says what an input does to the cost, whichever of its ends does it; `effects` are
    the words for a cost that falls and for one that rises.
    """
    rows = [
        {"name": each.name, "mean": mean, "end": end, "text": text, "effect": effects[end >= mean]}
        for each in swings
        for end, text in ((each.low, each.low_text), (each.high, each.high_text))
        if end != mean
    ]
    names = [each.name for each in swings]
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(domain=False, ticks=False))
    chart = alt.Chart(rows_of(rows))
    bars = chart.mark_bar().encode(
        y=y,
        x=alt.X(
            "mean:Q",
            title=None,
            scale=alt.Scale(zero=False, padding=46),
            axis=alt.Axis(labelExpr=MONEY, tickCount=6),
        ),
        x2="end:Q",
        color=alt.Color("effect:N", scale=alt.Scale(domain=list(effects), range=[GOOD, BAD])),
    )
    lower = chart.transform_filter("datum.end < datum.mean")
    upper = chart.transform_filter("datum.end >= datum.mean")
    left = lower.mark_text(align="right", dx=-4, color=QUIET, fontSize=11)
    right = upper.mark_text(align="left", dx=4, color=QUIET, fontSize=11)
    texts = [each.encode(y=y, x="end:Q", text="text:N") for each in (left, right)]
    rule = alt.Chart(rows_of([{"mean": mean}])).mark_rule(color=LINE).encode(x="mean:Q")
    return alt.layer(rule, bars, *texts).properties(width=WIDTH, height=ROW * len(names) + 6)
