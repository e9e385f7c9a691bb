"""What a report can be grouped and filtered by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import ibis.expr.types as ir

from tokonomi.errors import WrongUsage
from tokonomi.naming import meant
from tokonomi.storage.analytics import literal

TAG_PREFIX: Final = "tag:"
METER: Final = "meter"


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that calls are grouped by.

    Attributes:
        name: as a person writes it.
        column: the lake's column that it is made from.
        value: the text of a call, from the table of calls; empty when it was not given.
        is_time: whether its values are points in time, so that rows read in their order.
    """

    name: str
    column: str
    value: Callable[[ir.Table], ir.Value]
    is_time: bool = False


def dimension(name: str) -> Dimension:
    """The dimension with this name; `tag:NAME` is a tag of the calls.

    Raises:
        WrongUsage: there is none; names the nearest.
    """
    if name.startswith(TAG_PREFIX) and len(name) > len(TAG_PREFIX):
        return Dimension(name, "tags", _tag(name.removeprefix(TAG_PREFIX)))
    try:
        return DIMENSIONS[name]
    except KeyError:
        raise WrongUsage(
            f'there is no dimension "{name}"',
            remedy=meant(name, [*DIMENSIONS, f"{TAG_PREFIX}NAME"]),
        ) from None


def _text(name: str, column: str) -> Dimension:
    return Dimension(name, column, lambda calls: calls[column])


def _time(name: str, pattern: str) -> Dimension:
    def value(calls: ir.Table) -> ir.Value:
        return cast("ir.TimestampColumn", calls["at"]).strftime(pattern)

    return Dimension(name, "at", value, is_time=True)


def _tag(tag: str) -> Callable[[ir.Table], ir.Value]:
    return lambda calls: cast("ir.MapColumn", calls["tags"]).get(literal(tag), literal(""))


def _yes_or_no(calls: ir.Table) -> ir.Value:
    return cast("ir.BooleanColumn", calls["batch"]).ifelse(literal("yes"), literal("no"))


DIMENSIONS: Final[Mapping[str, Dimension]] = {
    each.name: each
    for each in (
        _text("project", "project"),
        _text("feature", "feature"),
        _text("user", "end_user"),
        _text("session", "session"),
        _text("key", "key_id"),
        _text("alias", "alias"),
        _text("model", "model_served"),
        _text("provider", "provider"),
        _text("route", "route"),
        _text("status", "status"),
        _text("tier", "tier"),
        Dimension("batch", "batch", _yes_or_no),
        _text("source", "source"),
        _time("month", "%Y-%m"),
        _time("day", "%Y-%m-%d"),
        _time("hour", "%Y-%m-%d %H:00"),
        Dimension(METER, "lines", lambda calls: calls[METER]),
    )
}
"""By name. Times are in UTC; `meter` splits the cost of each call into its lines."""
