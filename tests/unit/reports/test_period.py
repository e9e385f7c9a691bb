from datetime import UTC, datetime

import pytest

from tokonomi.errors import WrongUsage
from tokonomi.reports.period import period_of, reaching_back
from tokonomi.storage.analytics import Period

NOW = datetime(2026, 1, 30, 15, 20, tzinfo=UTC)


def test_days_are_whole_and_both_are_included() -> None:
    assert period_of("2026-01-30", "2026-01-30") == Period(
        datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)
    )


def test_an_instant_ends_the_period_just_before_itself_whatever_its_zone() -> None:
    assert period_of("2026-01-30T09:00", "2026-01-30T17:00+07:00") == Period(
        datetime(2026, 1, 30, 9, tzinfo=UTC), datetime(2026, 1, 30, 10, tzinfo=UTC)
    )


def test_no_bound_is_all_time() -> None:
    assert period_of() == Period()


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("24h", datetime(2026, 1, 29, 15, 20, tzinfo=UTC)),
        ("1d", datetime(2026, 1, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 1, 24, tzinfo=UTC)),
        ("2w", datetime(2026, 1, 17, tzinfo=UTC)),
    ],
)
def test_reaching_back_counts_hours_exactly_and_days_whole(text: str, since: datetime) -> None:
    assert reaching_back(text, now=NOW) == Period(since)


@pytest.mark.parametrize("text", ["7", "0d", "d", "7 days", "-1d", "1.5h"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="24h, 7d or 4w"):
        reaching_back(text, now=NOW)


def test_an_empty_or_unreadable_period_is_refused() -> None:
    with pytest.raises(WrongUsage, match="is empty"):
        period_of("2026-01-31", "2026-01-30")
    with pytest.raises(WrongUsage, match="neither a day nor an instant"):
        period_of("yesterday")
