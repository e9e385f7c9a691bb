"""Dated exchange rates, which a person sets with their source."""

from datetime import date, datetime
from fractions import Fraction
from typing import Final

from tokonomi.configuration.canonical import rate_name, rate_table
from tokonomi.configuration.document import Kind
from tokonomi.errors import BadInput
from tokonomi.money import ExchangeRate
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.changes import UNNAMED, Author, Change, Changing, change_of_rules
from tokonomi.storage.database import Database, Row


def set_rate(
    database: Database,
    rate: ExchangeRate,
    *,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Change[ExchangeRate]:
    """The rate of its day, and the one that it replaces where there was one.

    Holds that were made with another rate are captured with that one.

    Raises:
        BadInput: the day is still to come, in UTC.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        return put_rate(changing, rate)


def put_rate(changing: Changing, rate: ExchangeRate) -> Change[ExchangeRate]:
    """The rate of its day, as `set_rate` sets it.

    Raises:
        BadInput: the day is still to come, in UTC.
    """
    today = changing.now.date()
    if rate.on > today:
        raise BadInput(f"nobody knows the rate of {rate.on} yet", remedy=f"It is {today} in UTC.")
    old = _find(changing.database, rate)
    changing.database.execute(
        "INSERT INTO exchange_rate (base, quote, on_date, rate, source, set_us)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (base, quote, on_date) DO UPDATE"
        " SET rate = excluded.rate, source = excluded.source, set_us = excluded.set_us",
        (*_key(rate), str(rate.rate), rate.source, microseconds(changing.now)),
    )
    changing.note(Kind.RATE, rate_name(rate), old and rate_table(old), rate_table(rate))
    return Change(old, rate)


def drop_rate(changing: Changing, rate: ExchangeRate) -> Change[ExchangeRate]:
    """The rate that is no more; what was counted with it stays as it was."""
    old = _find(changing.database, rate)
    changing.database.execute(
        "DELETE FROM exchange_rate WHERE base = ? AND quote = ? AND on_date = ?", _key(rate)
    )
    changing.note(Kind.RATE, rate_name(rate), old and rate_table(old), None)
    return Change(old, None)


def every_rate(database: Database) -> tuple[ExchangeRate, ...]:
    """All rates, the newest day first, and by their currencies within a day."""
    rates = [_read(row) for row in database.execute(_SELECT)]
    return tuple(sorted(rates, key=lambda each: (-each.on.toordinal(), each.base, each.quote)))


_SELECT: Final = "SELECT base, quote, rate, on_date, source FROM exchange_rate"


def _key(rate: ExchangeRate) -> tuple[str, str, str]:
    return rate.base, rate.quote, rate.on.isoformat()


def _find(database: Database, rate: ExchangeRate) -> ExchangeRate | None:
    row = database.execute(
        f"{_SELECT} WHERE base = ? AND quote = ? AND on_date = ?", _key(rate)
    ).fetchone()
    return None if row is None else _read(row)


def _read(row: Row) -> ExchangeRate:
    base, quote, rate, on, source = row
    return ExchangeRate(base, quote, Fraction(rate), date.fromisoformat(on), source)
