"""Windows of time: which stretch an instant belongs to, computed and never reset.

A window is a function of its period, its anchor, a time zone and an instant. No row says where a
window begins and nothing runs at midnight, so no restart, delay or replay can move it.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from tokonomi.errors import BadInput

MONDAY: Final = 0
SUNDAY: Final = 6
LAST_MONTH_DAY: Final = 31
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Where every lifetime begins, so that no edit of a budget can begin it anew."""

_SECOND: Final = timedelta(seconds=1)
_HOUR: Final = timedelta(hours=1)


class Period(StrEnum):
    """How long a window lasts, by the clocks of its zone."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    LIFETIME = "lifetime"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A repeating stretch of time, without its zone.

    Attributes:
        period: how long it lasts.
        weekday: the day on which a week begins, 0 is Monday.
        month_day: the day on which a month begins, 1 to 31; a shorter month begins on its last day.

    Raises:
        BadInput: a day that no week or no month has, or that is not of this period.
    """

    period: Period
    weekday: int = MONDAY
    month_day: int = 1

    def __post_init__(self) -> None:
        if not MONDAY <= self.weekday <= SUNDAY:
            raise BadInput(f"{self.weekday} is no day of a week", remedy="Monday is 0, Sunday 6.")
        if not 1 <= self.month_day <= LAST_MONTH_DAY:
            raise BadInput(
                f"{self.month_day} is no day of a month", remedy="Use 1 to 31; 31 is the last day."
            )
        weekday_unused = self.period is not Period.WEEK and self.weekday != MONDAY
        if weekday_unused or (self.period is not Period.MONTH and self.month_day != 1):
            raise BadInput(
                f"a window of one {self.period} does not begin on a chosen day",
                remedy="Only a week begins on a weekday, only a month on a day of the month.",
            )


class Span(msgspec.Struct, frozen=True):
    """A stretch of time in UTC: `start` belongs to it, `end` does not; an `end` of None is never.

    Keep it while `holds` says so: computing the next one is only needed after `end`.
    """

    start: datetime
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether the instant lies in the span."""
        return self.start <= at and (self.end is None or at < self.end)


def span_at(window: Window, zone: tzinfo, now: datetime) -> Span:
    """The span of a window that an instant belongs to.

    The spans of a window tile time: they meet without gap or overlap. A day lasts 23 or 25 hours
    where clocks change, an hour that clocks repeat is two hours, and a midnight that clocks skip is
    the instant at which they skip it.

    Args:
        window: the window.
        zone: the zone whose clocks count, from `zoneinfo` or a fixed offset.
        now: an instant with a zone, from 1970 on.

    >>> from zoneinfo import ZoneInfo
    >>> span = span_at(Window(period=Period.DAY), ZoneInfo("Asia/Jakarta"),
    ...                datetime(2026, 1, 30, 20, tzinfo=UTC))
    >>> span.start.isoformat(), span.end.isoformat()
    ('2026-01-30T17:00:00+00:00', '2026-01-31T17:00:00+00:00')
    """
    now = now.astimezone(UTC)
    match window.period:
        case Period.LIFETIME:
            return Span(BEGINNING, None)
        case Period.HOUR:
            return _hour(zone, now)
        case Period.DAY | Period.WEEK | Period.MONTH:
            return _days(window, zone, now)
        case _:
            assert_never(window.period)


def _days(window: Window, zone: tzinfo, now: datetime) -> Span:
    # Clocks that go back over a midnight show the same date twice, and a zone can skip a whole
    # date, so the local date only says where to look; the instants of the boundaries decide.
    index = _index(window, now.astimezone(zone).date())
    start = _midnight(_first_date(window, index), zone)
    while start > now:
        index -= 1
        start = _midnight(_first_date(window, index), zone)
    end = _midnight(_first_date(window, index + 1), zone)
    while end <= now:
        index += 1
        start, end = end, _midnight(_first_date(window, index + 1), zone)
    return Span(start, end)


def _index(window: Window, day: date) -> int:
    """The number of the window that the date lies in, or of the one after it."""
    match window.period:
        case Period.WEEK:
            return (day.toordinal() - 1 - window.weekday) // 7
        case Period.MONTH:
            return day.year * 12 + day.month - 1
        case _:
            return day.toordinal()


def _first_date(window: Window, index: int) -> date:
    match window.period:
        case Period.WEEK:
            return date.fromordinal(index * 7 + 1 + window.weekday)
        case Period.MONTH:
            year, month = divmod(index, 12)
            return date(year, month + 1, min(window.month_day, _month_length(year, month + 1)))
        case _:
            return date.fromordinal(index)


def _month_length(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - date(year, month, 1)).days


def _midnight(day: date, zone: tzinfo) -> datetime:
    """The instant at which the date begins; where its midnight is skipped, the skip itself."""
    local = datetime.combine(day, time.min, tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _clock_change(zone, local.replace(fold=1).astimezone(UTC), instant)


def _hour(zone: tzinfo, now: datetime) -> Span:
    local = now.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    start = now - into
    end = start + _HOUR
    # Clocks that move by whole hours leave the full hours where they are. Where they move by half
    # an hour (Lord Howe Island), the change itself ends one hour and begins the next.
    if _minutes(zone, start) != _minutes(zone, now):
        start = _clock_change(zone, start, now)
    if _minutes(zone, end - _SECOND) != _minutes(zone, now):
        end = _clock_change(zone, now, end)
    return Span(start, end)


def _minutes(zone: tzinfo, at: datetime) -> timedelta:
    """How far the zone's full hours lie from those of UTC."""
    return _offset(zone, at) % _HOUR


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None, "an instant in a zone has an offset"
    return offset


def _clock_change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first whole second, after `before`, from which the zone's offset is that of `after`."""
    first = before.replace(microsecond=0)
    low, high = 0, -((first - after) // _SECOND)
    offset = _offset(zone, after)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, first + middle * _SECOND) == offset:
            high = middle
        else:
            low = middle
    return first + high * _SECOND
