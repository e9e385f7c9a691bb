"""Periods as people write them, in UTC: `2026-01-30`, `2026-01-30T09:00`, `7d`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from tokonomi.errors import WrongUsage
from tokonomi.storage.analytics import Period

_LAST: Final = re.compile(r"([1-9]\d{0,4})([hdw])")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS: Final = {"d": 1, "w": 7}


def period_of(since: str = "", until: str = "") -> Period:
    """The period between two texts, each a day or an instant; empty is no bound.

    A day is a whole UTC day and `until` includes it; an instant ends the period just before itself.

    >>> period_of("2026-01-01", "2026-01-31").until.isoformat()
    '2026-02-01T00:00:00+00:00'

    Raises:
        WrongUsage: a text is neither, or the period is empty.
    """
    begin = _instant(since, days=0) if since else None
    end = _instant(until, days=1) if until else None
    if begin and end and begin >= end:
        raise WrongUsage(f"the period from {since} until {until} is empty")
    return Period(begin, end)


def reaching_back(text: str, *, now: datetime) -> Period:
    """The period that reaches back from `now`: `24h` are hours, `7d` and `4w` whole UTC days.

    Today counts as one of the days, so `1d` is today.

    Raises:
        WrongUsage: the text is not a number with h, d or w.
    """
    match = _LAST.fullmatch(text)
    if match is None:
        raise WrongUsage(f'"{text}" is not a period', remedy="Write it like 24h, 7d or 4w.")
    count, unit = int(match[1]), match[2]
    if unit == "h":
        return Period(now - timedelta(hours=count))
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(today - timedelta(days=count * _DAYS[unit] - 1))


def _instant(text: str, *, days: int) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            f'"{text}" is neither a day nor an instant',
            remedy="Write it like 2026-01-30 or 2026-01-30T09:00Z.",
        ) from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at + timedelta(days=days) if _DAY.fullmatch(text) else at
