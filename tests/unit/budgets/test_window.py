"""Spans at the instants where clocks, months and weeks are awkward."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tokonomi.budgets.window import Period, Span, Window, span_at
from tokonomi.errors import BadInput

DAY = Window(period=Period.DAY)
HOUR = Window(period=Period.HOUR)


def utc(year: int, month: int, day: int, *time: int) -> datetime:
    return datetime(year, month, day, *time, tzinfo=UTC)


def length(span: Span) -> timedelta:
    assert span.end is not None
    return span.end - span.start


def test_a_day_in_jakarta_begins_at_seven_in_the_evening_before_in_utc() -> None:
    span = span_at(DAY, ZoneInfo("Asia/Jakarta"), utc(2026, 1, 31, 16, 59, 59))
    assert span == Span(utc(2026, 1, 30, 17), utc(2026, 1, 31, 17))


def test_a_day_in_tokyo_is_not_late_by_nine_hours() -> None:
    span = span_at(DAY, ZoneInfo("Asia/Tokyo"), utc(2026, 3, 1, 15))
    assert span == Span(utc(2026, 3, 1, 15), utc(2026, 3, 2, 15))


def test_the_days_on_which_clocks_change_last_twenty_three_and_twenty_five_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert length(span_at(DAY, berlin, utc(2026, 3, 29, 12))) == timedelta(hours=23)
    assert length(span_at(DAY, berlin, utc(2026, 10, 25, 12))) == timedelta(hours=25)


def test_an_hour_that_clocks_repeat_is_two_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = span_at(HOUR, berlin, utc(2026, 10, 25, 0, 30))
    second = span_at(HOUR, berlin, utc(2026, 10, 25, 1, 30))
    assert first == Span(utc(2026, 10, 25, 0), utc(2026, 10, 25, 1))
    assert second == Span(utc(2026, 10, 25, 1), utc(2026, 10, 25, 2))


def test_an_hour_in_kolkata_begins_at_half_past_in_utc() -> None:
    span = span_at(HOUR, ZoneInfo("Asia/Kolkata"), utc(2026, 1, 1, 12, 29, 59))
    assert span == Span(utc(2026, 1, 1, 11, 30), utc(2026, 1, 1, 12, 30))


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (utc(2026, 4, 4, 14, 50), utc(2026, 4, 4, 14, 0), utc(2026, 4, 4, 15, 0)),
        (utc(2026, 4, 4, 15, 10), utc(2026, 4, 4, 15, 0), utc(2026, 4, 4, 15, 30)),
        (utc(2026, 4, 4, 15, 40), utc(2026, 4, 4, 15, 30), utc(2026, 4, 4, 16, 30)),
        (utc(2026, 10, 3, 15, 29), utc(2026, 10, 3, 14, 30), utc(2026, 10, 3, 15, 30)),
        (utc(2026, 10, 3, 15, 31), utc(2026, 10, 3, 15, 30), utc(2026, 10, 3, 16, 0)),
    ],
)
def test_a_clock_change_of_half_an_hour_ends_one_hour_and_begins_the_next(
    now: datetime, start: datetime, end: datetime
) -> None:
    assert span_at(HOUR, ZoneInfo("Australia/Lord_Howe"), now) == Span(start, end)


def test_a_clock_change_inside_an_hour_ends_it_there() -> None:
    # Singapore moved its clocks from 07:30 to 08:00 hours ahead of UTC at 16:00 UTC, at 23:30.
    singapore = ZoneInfo("Asia/Singapore")
    change = utc(1981, 12, 31, 16, 0)
    assert span_at(HOUR, singapore, change - timedelta(minutes=10)) == Span(
        utc(1981, 12, 31, 15, 30), change
    )
    assert span_at(HOUR, singapore, change) == Span(change, utc(1981, 12, 31, 17))


def test_a_midnight_that_clocks_skip_is_the_instant_of_the_skip() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    span = span_at(DAY, cairo, utc(2025, 4, 25, 12))
    assert span == Span(utc(2025, 4, 24, 22), utc(2025, 4, 25, 21))
    # Toronto skipped from 23:30 to 00:30 in 1919: the day begins with the skip, at 00:30.
    toronto = span_at(DAY, ZoneInfo("America/Toronto"), utc(1919, 3, 31, 4, 45))
    assert toronto.start == utc(1919, 3, 31, 4, 30)


def test_a_date_that_a_zone_skipped_is_no_window() -> None:
    apia = ZoneInfo("Pacific/Apia")
    before = span_at(DAY, apia, utc(2011, 12, 30, 9, 59))
    after = span_at(DAY, apia, utc(2011, 12, 30, 10))
    assert (before.end, after) == (
        utc(2011, 12, 30, 10),
        Span(utc(2011, 12, 30, 10), utc(2011, 12, 31, 10)),
    )


def test_clocks_that_go_back_over_midnight_do_not_bring_yesterday_back() -> None:
    # At 00:01 on 7 November 2010 St Johns went back to 23:01 of the 6th.
    st_johns = ZoneInfo("America/St_Johns")
    span = span_at(DAY, st_johns, utc(2010, 11, 7, 2, 45))
    assert utc(2010, 11, 7, 2, 45).astimezone(st_johns).day == 6
    assert span == Span(utc(2010, 11, 7, 2, 30), utc(2010, 11, 8, 3, 30))


def test_a_month_from_day_thirty_one_begins_on_the_last_day_of_shorter_ones() -> None:
    window = Window(period=Period.MONTH, month_day=31)
    starts = [utc(2027, 12, 31)]
    for _ in range(6):
        end = span_at(window, UTC, starts[-1]).end
        assert end is not None
        starts.append(end)
    assert [(start.month, start.day) for start in starts] == [
        (12, 31),
        (1, 31),
        (2, 29),
        (3, 31),
        (4, 30),
        (5, 31),
        (6, 30),
    ]


def test_a_week_begins_on_the_day_that_was_chosen() -> None:
    window = Window(period=Period.WEEK, weekday=4)
    span = span_at(window, ZoneInfo("Asia/Jakarta"), utc(2026, 1, 30, 17))
    assert span.start.astimezone(ZoneInfo("Asia/Jakarta")).strftime("%A %H:%M") == "Friday 00:00"
    assert length(span) == timedelta(days=7)


@pytest.mark.parametrize("day", [{"weekday": 7}, {"weekday": -1}])
def test_a_weekday_that_no_week_has_is_refused(day: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="no day of a week"):
        Window(period=Period.WEEK, **day)


@pytest.mark.parametrize("day", [0, 32])
def test_a_day_that_no_month_has_is_refused(day: int) -> None:
    with pytest.raises(BadInput, match="no day of a month"):
        Window(period=Period.MONTH, month_day=day)


@pytest.mark.parametrize("period", [Period.HOUR, Period.DAY, Period.MONTH, Period.LIFETIME])
def test_only_a_week_begins_on_a_weekday(period: Period) -> None:
    with pytest.raises(BadInput, match="does not begin on a chosen day"):
        Window(period=period, weekday=3)


def test_only_a_month_begins_on_a_day_of_the_month() -> None:
    with pytest.raises(BadInput, match="a window of one week does not begin on a chosen day"):
        Window(period=Period.WEEK, month_day=15)
