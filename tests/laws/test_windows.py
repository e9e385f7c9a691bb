"""Windows tile time: every instant lies in exactly one span of every window, whatever clocks do."""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from tokonomi.budgets.window import BEGINNING, Period, Span, Window, span_at

# Zones that bend every rule: half and quarter hours, half-hour and midnight clock changes, dates
# that were skipped (Apia, Kwajalein), clocks that went back over midnight (St Johns, Nuuk).
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Asia/Jakarta",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Asia/Tokyo",
        "Asia/Beirut",
        "Africa/Cairo",
        "America/Havana",
        "America/New_York",
        "America/Nuuk",
        "America/Sao_Paulo",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Pacific/Apia",
        "Pacific/Kwajalein",
    )
]
MICROSECOND = timedelta(microseconds=1)

zones: st.SearchStrategy[tzinfo] = st.sampled_from(ZONES) | st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
repeating = st.one_of(
    st.sampled_from([Window(period=Period.HOUR), Window(period=Period.DAY)]),
    st.builds(Window, period=st.just(Period.WEEK), weekday=st.integers(0, 6)),
    st.builds(Window, period=st.just(Period.MONTH), month_day=st.integers(1, 31)),
)
windows = st.just(Window(period=Period.LIFETIME)) | repeating
instants = st.timedeltas(timedelta(365), timedelta(130 * 365)).map(lambda since: BEGINNING + since)
# Their clocks moved by half an hour, the second's in the middle of an hour.
LORD_HOWE, SINGAPORE = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Singapore")
CLOCK_CHANGES = [
    ("Africa/Cairo", datetime(2025, 4, 24, 22, tzinfo=UTC)),  # skips a midnight
    ("America/Nuuk", datetime(2025, 10, 26, 1, tzinfo=UTC)),  # goes back to the day before
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),  # the same, at 00:01
    ("Australia/Lord_Howe", datetime(2025, 4, 5, 15, tzinfo=UTC)),  # goes back half an hour
    ("Australia/Lord_Howe", datetime(2025, 10, 4, 15, 30, tzinfo=UTC)),  # and forward
    ("Europe/Berlin", datetime(2025, 10, 26, 1, tzinfo=UTC)),  # repeats an hour
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # skips a date
]
near_changes = st.tuples(
    st.sampled_from(CLOCK_CHANGES), st.timedeltas(-timedelta(hours=2), timedelta(hours=2))
).map(lambda near: (ZoneInfo(near[0][0]), near[0][1] + near[1]))
places: st.SearchStrategy[tuple[tzinfo, datetime]] = st.tuples(zones, instants) | near_changes


def end_of(span: Span) -> datetime:
    assert span.end is not None
    return span.end


@given(windows, places)
def test_every_instant_lies_in_its_span(window: Window, place: tuple[tzinfo, datetime]) -> None:
    zone, now = place
    assert span_at(window, zone, now).holds(now)


@given(windows, places, instants, st.timedeltas(-timedelta(days=2), timedelta(days=2)))
def test_an_instant_of_a_span_gives_the_same_span_so_no_two_overlap(
    window: Window, place: tuple[tzinfo, datetime], far: datetime, near: timedelta
) -> None:
    zone, now = place
    span = span_at(window, zone, now)
    for other in (far, now + near):
        same = span_at(window, zone, other) == span
        assert same == span.holds(other)


@example(Window(period=Period.HOUR), (LORD_HOWE, datetime(2025, 4, 5, 15, 10, tzinfo=UTC)))
@example(Window(period=Period.HOUR), (SINGAPORE, datetime(1981, 12, 31, 15, 40, tzinfo=UTC)))
@given(repeating, places)
def test_a_span_ends_where_the_next_one_begins(
    window: Window, place: tuple[tzinfo, datetime]
) -> None:
    zone, now = place
    span = span_at(window, zone, now)
    following = span_at(window, zone, end_of(span))
    previous = span_at(window, zone, span.start - MICROSECOND)
    assert (following.start, end_of(previous)) == (span.end, span.start)
    assert span_at(window, zone, end_of(span) - MICROSECOND) == span


@given(windows, places, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_later_instants_never_lie_in_earlier_spans(
    window: Window, place: tuple[tzinfo, datetime], later: timedelta
) -> None:
    zone, now = place
    assert span_at(window, zone, now).start <= span_at(window, zone, now + later).start


@given(windows, places, zones)
def test_the_zone_in_which_an_instant_is_written_does_not_matter(
    window: Window, place: tuple[tzinfo, datetime], written: tzinfo
) -> None:
    zone, now = place
    assert span_at(window, zone, now.astimezone(written)) == span_at(window, zone, now)


@given(repeating, places)
def test_a_span_is_about_as_long_as_its_name_says(
    window: Window, place: tuple[tzinfo, datetime]
) -> None:
    zone, now = place
    span = span_at(window, zone, now)
    shortest, longest = {
        Period.HOUR: (timedelta(minutes=30), timedelta(hours=1)),
        # A skipped date makes its week or month shorter by a day.
        Period.DAY: (timedelta(hours=23), timedelta(hours=25)),
        Period.WEEK: (timedelta(days=6), timedelta(days=7, hours=1)),
        Period.MONTH: (timedelta(days=27), timedelta(days=31, hours=1)),
    }[window.period]
    assert shortest <= end_of(span) - span.start <= longest


@given(places, st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]))
def test_spans_of_days_begin_when_the_date_first_shows_on_the_clock(
    place: tuple[tzinfo, datetime], period: Period
) -> None:
    zone, now = place
    start = span_at(Window(period=period), zone, now).start
    local, before = start.astimezone(zone), (start - MICROSECOND).astimezone(zone)
    assert before.date() < local.date()
    midnight = datetime.combine(local.date(), time.min)
    assert local.replace(tzinfo=None) - midnight <= timedelta(hours=1)


@given(st.integers(1, 31), st.integers(1971, 2099), zones)
def test_twelve_months_follow_each_other_on_their_day_without_drift(
    month_day: int, year: int, zone: tzinfo
) -> None:
    window = Window(period=Period.MONTH, month_day=month_day)
    span = span_at(window, zone, datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=40))
    for _ in range(14):
        span = span_at(window, zone, end_of(span))
        begins = span.start.astimezone(zone).date()
        last = (date(begins.year + begins.month // 12, begins.month % 12 + 1, 1)) - timedelta(1)
        skipped = begins - timedelta(days=1)  # Apia had no 30 December 2011
        assert min(month_day, last.day) in {begins.day, skipped.day}


@given(zones, instants)
def test_a_lifetime_begins_once_and_has_no_end(zone: tzinfo, now: datetime) -> None:
    span = span_at(Window(period=Period.LIFETIME), zone, now)
    assert span == Span(BEGINNING, None)
