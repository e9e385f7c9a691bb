"""Rates, windows and rows refuse what cannot be."""

from datetime import UTC, date, datetime

import pytest

from tokonomi.errors import BadPrices
from tokonomi.pricing.row import BEGINNING, Meter, PriceRow, Rate, Window

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def row(**changed: object) -> PriceRow:
    told: dict[str, object] = {
        "id": "row",
        "provider": "p",
        "model": "m",
        "currency": "USD",
        "source": "a test",
        "rates": {Meter.INPUT: Rate.of("1", per=10**6, currency="USD")},
    }
    return PriceRow(**{**told, **changed})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("text", ["", "abc", "1,25", "1/3", "nan", "inf", "0x10", "1_000"])
def test_a_rate_that_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(BadPrices, match="is not a price"):
        Rate.of(text, per=1, currency="USD")


def test_a_rate_for_no_units_is_refused() -> None:
    with pytest.raises(BadPrices, match="per 0 is not a price"):
        Rate.of("1", per=0, currency="USD")


@pytest.mark.parametrize(
    ("text", "currency", "smallest"),
    [("0.0000004", "USD", "0.000001"), ("0.004", "IDR", "0.01"), ("1e-99", "EUR", "0.000001")],
)
def test_a_price_that_would_round_to_nothing_is_refused_and_not_free(
    text: str, currency: str, smallest: str
) -> None:
    with pytest.raises(BadPrices) as refused:
        Rate.of(text, per=10**6, currency=currency)
    assert refused.value.what == (
        f"the price {text} {currency} per 1,000,000 would round to 0; "
        f"one sub-unit each is {smallest}"
    )
    assert refused.value.remedy == "Is it the price of one? Write the price of 1,000,000."


@pytest.mark.parametrize(("text", "free"), [("0", True), ("0.000", True), ("0.0000005", False)])
def test_a_row_is_free_only_when_its_source_says_0(text: str, *, free: bool) -> None:
    assert row(rates={Meter.INPUT: Rate.of(text, per=10**6, currency="USD")}).free is free


def test_a_rate_that_was_rounded_to_0_does_not_make_a_row_free() -> None:
    assert not row(rates={Meter.INPUT: Rate("0.0000004", 10**6, 0, exact=False)}).free


def test_a_rate_in_rupiah_has_the_sub_unit_of_the_rupiah() -> None:
    assert Rate.of("20", per=1_000, currency="IDR").sub_units == 2_000_000


@pytest.mark.parametrize(
    ("weekdays", "start", "end", "complaint"),
    [
        (frozenset[int](), 0, 60, "are not days"),
        (frozenset({7}), 0, 60, "are not days"),
        (frozenset({0}), 1_440, 0, "a window from minute"),
        (frozenset({0}), 0, 1_441, "a window from minute"),
        (frozenset({0}), 60, 60, "a window from minute"),
    ],
)
def test_a_window_that_is_none_is_refused(
    weekdays: frozenset[int], start: int, end: int, complaint: str
) -> None:
    with pytest.raises(BadPrices, match=complaint):
        Window(weekdays, start, end)


def test_a_window_begins_inclusive_and_ends_exclusive() -> None:
    window = Window(frozenset({0}), 60, 240)
    assert [window.holds(MONDAY.replace(hour=h)) for h in (0, 1, 3, 4)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_began() -> None:
    sunday_night = Window(frozenset({6}), 22 * 60, 2 * 60)
    assert sunday_night.holds(MONDAY.replace(hour=1))
    assert not sunday_night.holds(MONDAY.replace(hour=2))
    assert not sunday_night.holds(MONDAY.replace(hour=22))
    assert sunday_night.holds(datetime(2026, 11, 8, 22, tzinfo=UTC))


def test_a_night_that_a_holiday_keeps_shut_is_shut_next_morning_too() -> None:
    nights = Window(from_minute=22 * 60, to_minute=2 * 60, closed_on=frozenset({date(2026, 11, 1)}))
    assert not nights.holds(MONDAY.replace(hour=1))
    assert nights.holds(MONDAY.replace(hour=22))


def test_a_window_is_named_by_its_hours_and_days() -> None:
    assert Window(from_minute=60, to_minute=240).name == "01:00-04:00"
    assert Window(frozenset({0, 4}), 0, 1_440).name == "00:00-24:00/15"


def test_a_row_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadPrices, match="before it begins"):
        row(valid_from=MONDAY, valid_to=MONDAY)


@pytest.mark.parametrize(
    "instant",
    [datetime(2026, 1, 1), datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)],  # noqa: DTZ001
)
def test_a_row_begins_at_a_whole_second_in_utc(instant: datetime) -> None:
    with pytest.raises(BadPrices, match="not a whole second in UTC"):
        row(valid_from=instant)


def test_a_row_without_rates_is_not_free() -> None:
    assert not row(rates={}).free
    assert row(rates={Meter.INPUT: Rate.of("0", per=1, currency="USD")}).free
    assert row().valid_from == BEGINNING


def test_rows_can_be_members_of_a_set() -> None:
    assert len({row(), row(), row(id="other")}) == 2
