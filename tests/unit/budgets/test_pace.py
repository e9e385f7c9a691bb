"""Forecasts and pace of a window."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from tokonomi.budgets.pace import elapsed_share, forecast, pace, runs_out_at
from tokonomi.budgets.window import BEGINNING, Span
from tokonomi.money import Money

JUNE = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
LIFETIME = Span(BEGINNING, None)


def day(number: int) -> datetime:
    return JUNE.start + timedelta(days=number)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


@pytest.mark.parametrize(
    ("now", "share"),
    [
        (day(-5), Fraction(0)),
        (day(0), Fraction(0)),
        (day(10), Fraction(1, 3)),
        (day(30), Fraction(1)),
        (day(90), Fraction(1)),
    ],
)
def test_the_share_of_time_gone_stays_between_none_and_all(now: datetime, share: Fraction) -> None:
    assert elapsed_share(JUNE, now) == share


def test_a_forecast_is_silent_for_three_days_and_then_speaks() -> None:
    just_before = day(3) - timedelta(microseconds=1)
    assert forecast(usd("10"), JUNE, just_before) is None
    assert forecast(usd("10"), JUNE, day(3)) == usd("100")


def test_a_healthy_month_at_eighty_percent_on_day_twenty_four_is_forecast_at_its_limit() -> None:
    assert forecast(usd("80"), JUNE, day(24)) == usd("100")
    assert pace(usd("80"), usd("100"), span=JUNE, now=day(24)) == 1


def test_a_day_is_never_forecast_and_neither_is_a_lifetime() -> None:
    one_day = Span(day(0), day(1))
    assert forecast(usd("10"), one_day, day(1)) is None
    assert forecast(usd("10"), LIFETIME, day(0)) is None


def test_a_forecast_of_an_ended_window_is_what_was_spent() -> None:
    assert forecast(usd("77.77"), JUNE, day(31)) == usd("77.77")


@pytest.mark.parametrize(
    ("amount", "span", "now"),
    [(usd("0"), JUNE, day(5)), (usd("10"), LIFETIME, day(5)), (usd("10"), JUNE, day(0))],
)
def test_pace_has_no_answer_for_an_amount_of_nothing_a_lifetime_or_the_very_start(
    amount: Money, span: Span, now: datetime
) -> None:
    assert pace(usd("1"), amount, span=span, now=now) is None
    assert runs_out_at(usd("1"), amount, span=span, now=now) is None


def test_a_budget_at_twice_its_pace_runs_out_half_way() -> None:
    assert runs_out_at(usd("20"), usd("30"), span=JUNE, now=day(10)) == day(15)
    assert runs_out_at(usd("60"), usd("30"), span=JUNE, now=day(10)) == day(5)


def test_a_budget_at_or_under_its_pace_does_not_run_out() -> None:
    assert runs_out_at(usd("10"), usd("30"), span=JUNE, now=day(10)) is None
    assert runs_out_at(usd("0"), usd("30"), span=JUNE, now=day(10)) is None
