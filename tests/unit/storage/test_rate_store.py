"""Exchange rates are dated, sourced, and the newest comes first."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from tokonomi.budgets.rate_table import rate_from_text
from tokonomi.errors import BadInput, BadMoney
from tokonomi.storage.database import Database
from tokonomi.storage.rate_store import every_rate, set_rate
from tokonomi.storage.rules_in_force import load_rules, rules_version

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
JANUARY = date(2026, 1, 30)


def test_the_newest_rate_of_a_pair_comes_first(database: Database) -> None:
    seed = rate_from_text("USD", "IDR", "16000", on=JANUARY, source="seed 001")
    later = rate_from_text("USD", "IDR", "16712.5", on=date(2026, 11, 19), source="the bank")
    assert set_rate(database, seed, now=NOW).old is None
    assert set_rate(database, later, now=NOW).old is None
    assert load_rules(database).rates == every_rate(database) == (later, seed)
    assert later.rate == Fraction("16712.5")


def test_a_rate_of_the_same_day_replaces_and_tells_the_old_one(database: Database) -> None:
    first = rate_from_text("USD", "IDR", "16000", on=JANUARY, source="seed 001")
    second = rate_from_text("USD", "IDR", "16001", on=JANUARY, source="a correction")
    set_rate(database, first, now=NOW)
    seen = rules_version(database)
    assert set_rate(database, second, now=NOW, dry_run=True).old == first
    assert (every_rate(database), rules_version(database)) == ((first,), seen)
    assert set_rate(database, second, now=NOW).old == first
    assert (every_rate(database), rules_version(database)) == ((second,), seen + 1)


def test_a_rate_of_tomorrow_is_refused(database: Database) -> None:
    rate = rate_from_text("USD", "IDR", "16000", on=date(2026, 11, 21), source="a dream")
    with pytest.raises(BadInput, match="nobody knows the rate of 2026-11-21 yet"):
        set_rate(database, rate, now=NOW)


@pytest.mark.parametrize(
    ("pair", "text", "source"),
    [
        (("USD", "IDR"), "0", "s"),
        (("USD", "IDR"), "1e4", "s"),
        (("USD", "USD"), "1", "s"),
        (("USD", "IDR"), "16000", " "),
    ],
)
def test_what_is_no_rate_is_refused(pair: tuple[str, str], text: str, source: str) -> None:
    with pytest.raises(BadInput):
        rate_from_text(*pair, text, on=JANUARY, source=source)


def test_an_unknown_currency_is_refused_by_its_code() -> None:
    with pytest.raises(BadMoney, match="unknown currency 'XYZ'"):
        rate_from_text("USD", "XYZ", "3", on=JANUARY, source="s")
