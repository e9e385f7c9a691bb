"""The fallback watch of running gateways: what is counted as calls settle, and what is told.

Each look counts the calls that were settled since the last one, whichever gateway looks. A share
above a threshold is told once for its alias and hour, a cost once for its alias and day.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from tokonomi.budgets.hold_size import rate_between
from tokonomi.budgets.table import share_to_text
from tokonomi.calls import Status
from tokonomi.money import ExchangeRate, Money, currency_of, format_percent, round_half_up
from tokonomi.routing.route import FALLBACK, PRIMARY
from tokonomi.routing.watch import (
    Cause,
    Level,
    Watched,
    WatchRules,
    cause_of,
    cost_level,
    rate_level,
)
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import for_update
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.event_store import Event, fire
from tokonomi.storage.rate_store import every_rate

SERVED: Final = (Status.OK, Status.DISCONNECTED)
"""A target served a call when its answer was whole, or would have been had its client stayed."""
KEPT: Final = timedelta(days=35)
_HOUR: Final = timedelta(hours=1)
_HOUR_US: Final = 3_600_000_000
_AT_ONCE: Final = 50_000
"""Calls that one look counts; the next look goes on."""


@dataclass(frozen=True, slots=True)
class WatchedHour:
    """What is counted of an alias in one hour; costs by currency, in sub-units."""

    alias: str
    hour: datetime
    watched: Watched
    costs: Mapping[str, int]


def watch_fallbacks(database: Database, rules: WatchRules, now: datetime) -> list[Event]:
    """The events of the fallback watch that are due and had not fired; they have now."""
    count_settled(database, now=now)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = watched_hours(database, since=min(day, now - 2 * _HOUR))
    if not any(each.watched.fallbacks for each in hours):
        return []
    told = _told(database, since=min(day, now - 2 * _HOUR))
    due = [
        *_rates_due(hours, rules, told, since=now - 2 * _HOUR),
        *_costs_due(hours, rules, told, every_rate(database), day=day),
    ]
    return fire(database, due, now=now) if due else []


def count_settled(database: Database, *, now: datetime) -> None:
    """Counts the calls that were settled since the last time, and forgets what is old."""
    newest = int(only_row(database, "SELECT COALESCE(MAX(seq), 0) FROM call")[0])
    read = "SELECT seq FROM fallback_watch WHERE id = 1"
    if newest == only_row(database, read)[0]:
        return
    with database.transaction(power_safe=False):
        known = int(only_row(database, read + for_update(database))[0])
        until = min(max(newest, known), known + _AT_ONCE)
        _count(database, known, until)
        database.execute("UPDATE fallback_watch SET seq = ? WHERE id = 1", (until,))
        oldest = microseconds(now - KEPT)
        for table in ("fallback_hour", "fallback_cost"):
            database.execute(f"DELETE FROM {table} WHERE hour_us < ?", (oldest,))  # noqa: S608 - ours


def _count(database: Database, known: int, until: int) -> None:
    rows = database.execute(
        "SELECT alias, at_us / ? * ?, attempt, route, status, http_status, COUNT(*) FROM call"
        " WHERE seq > ? AND seq <= ? AND route IN (?, ?) GROUP BY 1, 2, 3, 4, 5, 6",
        (_HOUR_US, _HOUR_US, known, until, PRIMARY, FALLBACK),
    ).fetchall()
    counts: dict[tuple[str, int], list[int]] = {}
    for alias, hour_us, attempt, route, status, http_status, number in rows:
        count = counts.setdefault((alias, hour_us), [0] * 5)
        count[0] += number if attempt == 1 else 0
        count[1] += number if route == FALLBACK and status in SERVED else 0
        if route == PRIMARY and status == Status.FAILED:
            count[2 + _CAUSES.index(cause_of(http_status))] += number
    database.executemany(
        "INSERT INTO fallback_hour (alias, hour_us, calls, fallbacks, failed, limited, unreached)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (alias, hour_us) DO UPDATE SET"
        " calls = fallback_hour.calls + excluded.calls,"
        " fallbacks = fallback_hour.fallbacks + excluded.fallbacks,"
        " failed = fallback_hour.failed + excluded.failed,"
        " limited = fallback_hour.limited + excluded.limited,"
        " unreached = fallback_hour.unreached + excluded.unreached",
        [(*key, *count) for key, count in sorted(counts.items())],
    )
    costs = database.execute(
        "SELECT alias, at_us / ? * ?, currency, SUM(amount) FROM call WHERE seq > ? AND seq <= ?"
        " AND route = ? AND amount IS NOT NULL GROUP BY 1, 2, 3",
        (_HOUR_US, _HOUR_US, known, until, FALLBACK),
    ).fetchall()
    database.executemany(
        "INSERT INTO fallback_cost (alias, hour_us, currency, amount) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (alias, hour_us, currency)"
        " DO UPDATE SET amount = fallback_cost.amount + excluded.amount",
        [(*key, int(amount)) for *key, amount in sorted(costs)],
    )


_CAUSES: Final = (Cause.PRIMARY, Cause.LIMIT, Cause.GATEWAY)
"""In the order of the columns `failed`, `limited` and `unreached`."""


def watched_hours(database: Database, *, since: datetime) -> list[WatchedHour]:
    """What was counted from an hour on, by hour and alias."""
    since_us = microseconds(since) // _HOUR_US * _HOUR_US
    costs: dict[tuple[str, int], dict[str, int]] = {}
    for alias, hour_us, currency, amount in database.execute(
        "SELECT alias, hour_us, currency, amount FROM fallback_cost WHERE hour_us >= ?", (since_us,)
    ):
        costs.setdefault((alias, hour_us), {})[currency] = amount
    rows = database.execute(
        "SELECT alias, hour_us, calls, fallbacks, failed, limited, unreached FROM fallback_hour"
        " WHERE hour_us >= ? ORDER BY hour_us, alias",
        (since_us,),
    ).fetchall()
    return [
        WatchedHour(
            alias,
            instant(hour_us),
            Watched(calls, fallbacks, dict(zip(_CAUSES, failures, strict=True))),
            costs.get((alias, hour_us), {}),
        )
        for alias, hour_us, calls, fallbacks, *failures in rows
    ]


Told = Collection[tuple[str, str]]
"""Subjects and names of events that have fired."""


def _told(database: Database, *, since: datetime) -> set[tuple[str, str]]:
    rows = database.execute(
        "SELECT subject, name FROM event WHERE about = 'alias' AND at_us >= ?",
        (microseconds(since),),
    )
    return {(row[0], row[1]) for row in rows}


def _rates_due(
    hours: Sequence[WatchedHour], rules: WatchRules, told: Told, *, since: datetime
) -> Iterator[Event]:
    for each in hours:
        level = rate_level(each.watched, rules)
        rate = each.watched.rate
        if each.hour < since.replace(minute=0, second=0, microsecond=0) or rate is None:
            continue
        about = f"fallback_rate {{}} {each.hour:%Y-%m-%dT%H}"
        threshold = rules.rate_critical if level is Level.CRITICAL else rules.rate_warning
        text = (
            f"alias {each.alias}: a fallback served {each.watched.fallbacks} of"
            f" {each.watched.calls} calls ({format_percent(rate)}) in the hour from"
            f" {each.hour:%Y-%m-%d %H:%M} UTC, above {share_to_text(threshold)}."
            f" {rules.actions[each.watched.cause]['en']}"
        )
        yield from _unless_told(each.alias, about, level, text, told)


def _costs_due(
    hours: Sequence[WatchedHour],
    rules: WatchRules,
    told: Told,
    rates: Sequence[ExchangeRate],
    *,
    day: datetime,
) -> Iterator[Event]:
    today = [each for each in hours if each.hour >= day]
    for alias in sorted({each.alias for each in today}):
        costs = [each.costs for each in today if each.alias == alias]
        total = in_one_currency(_added(costs), rules.currency, rates)
        level = cost_level(total, rules)
        if total is None:
            continue
        threshold = rules.cost_critical if level is Level.CRITICAL else rules.cost_warning
        text = (
            f"alias {alias}: fallbacks cost {total.format()} on {day:%Y-%m-%d} (UTC), above"
            f" {threshold.format()}"
        )
        about = f"fallback_cost {{}} {day:%Y-%m-%d}"
        yield from _unless_told(alias, about, level, text, told)


def _unless_told(alias: str, name: str, level: Level, text: str, told: Told) -> Iterator[Event]:
    """The event of a level, unless it or a worse one was told for the same time."""
    subject = f"alias {alias}"
    worse = [level, Level.CRITICAL]
    if level is Level.OK or any((subject, name.format(each)) in told for each in worse):
        return
    yield Event(None, name.format(level), "alias", subject, text)


def _added(costs: Sequence[Mapping[str, int]]) -> dict[str, int]:
    currencies = {currency for each in costs for currency in each}
    return {code: sum(each.get(code, 0) for each in costs) for code in currencies}


def in_one_currency(
    amounts: Mapping[str, int], currency: str, rates: Sequence[ExchangeRate]
) -> Money | None:
    """Amounts of several currencies as one, rounded once; None where a rate is missing.

    >>> in_one_currency({"IDR": 5 * 10**8}, "IDR", []).format()
    'Rp 5'
    """
    total = Fraction()
    for code, amount in amounts.items():
        money = Money(amount, code)
        if code == currency:
            total += money.fraction()
        elif (rate := rate_between(rates, code, currency)) is not None:
            total += rate.convert_exactly(money)
        else:
            return None
    return Money(round_half_up(total * currency_of(currency).sub_units), currency)
