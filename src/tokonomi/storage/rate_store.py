"""Dated exchange rates, which a person sets with their source."""

import re
from datetime import date, datetime
from fractions import Fraction
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.money import ExchangeRate
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.changes import Change, change_of_rules
from tokonomi.storage.database import Database, Row

_RATE: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def rate_from_text(base: str, quote: str, text: str, *, on: date, source: str) -> ExchangeRate:
    """The rate that a person states: 1 `base` is `text` `quote`.

    Raises:
        BadInput: not a decimal number above 0, one currency twice, or no source.
    """
    if not _RATE.fullmatch(text) or Fraction(text) == 0 or base == quote:
        raise BadInput(
            f"1 {base} = {text} {quote} is no exchange rate",
            remedy="Name two currencies and a number above 0, as USD IDR 16000.",
        )
    if not source.strip():
        raise BadInput(
            f"the rate {base}/{quote} has no source", remedy="Say where you read it, with --source."
        )
    return ExchangeRate(base, quote, Fraction(text), on, source)


def set_rate(
    database: Database, rate: ExchangeRate, *, now: datetime, dry_run: bool = False
) -> Change[ExchangeRate]:
    """The rate of its day, and the one that it replaces where there was one.

    Holds that were made with another rate are captured with that one.

    Raises:
        BadInput: the day is still to come, in UTC.
    """
    if rate.on > now.date():
        raise BadInput(
            f"nobody knows the rate of {rate.on} yet", remedy=f"It is {now.date()} in UTC."
        )
    with change_of_rules(database, dry_run=dry_run):
        pair = (rate.base, rate.quote, rate.on.isoformat())
        row = database.execute(
            f"{_SELECT} WHERE base = ? AND quote = ? AND on_date = ?", pair
        ).fetchone()
        database.execute(
            "INSERT INTO exchange_rate (base, quote, on_date, rate, source, set_us)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (base, quote, on_date) DO UPDATE"
            " SET rate = excluded.rate, source = excluded.source, set_us = excluded.set_us",
            (*pair, str(rate.rate), rate.source, microseconds(now)),
        )
    return Change(None if row is None else _read(row), rate)


def every_rate(database: Database) -> tuple[ExchangeRate, ...]:
    """All rates, the newest day first, and by their currencies within a day."""
    rates = [_read(row) for row in database.execute(_SELECT)]
    return tuple(sorted(rates, key=lambda each: (-each.on.toordinal(), each.base, each.quote)))


_SELECT: Final = "SELECT base, quote, rate, on_date, source FROM exchange_rate"


def _read(row: Row) -> ExchangeRate:
    base, quote, rate, on, source = row
    return ExchangeRate(base, quote, Fraction(rate), date.fromisoformat(on), source)
