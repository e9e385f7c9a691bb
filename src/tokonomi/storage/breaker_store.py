"""Circuit breakers in the store: all gateways add what they saw, and read how each one stands.

A breaker changes inside one transaction that locks its row, so a change is written once, however
many gateways saw the reason for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tokonomi.errors import NotFound
from tokonomi.naming import meant
from tokonomi.routing.breaker import (
    Breaker,
    BreakerRules,
    Outcomes,
    Phase,
    closed_by_hand,
    decided,
    opened_by_hand,
)
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import for_update
from tokonomi.storage.database import Database, Row, only_row

_SLICE_US: Final = 5_000_000
_COLUMNS: Final = "phase, since_us, until_us, openings, probe_until_us, why"


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker that changed: how it stood, and how it stands."""

    target: str
    old: Breaker
    new: Breaker


@dataclass(frozen=True, slots=True)
class CountedBreaker:
    """A breaker, and the calls of its window."""

    target: str
    breaker: Breaker
    seen: Outcomes


def add_outcomes(
    database: Database, seen: Mapping[str, Outcomes], rules: BreakerRules, *, now: datetime
) -> list[Transition]:
    """The breakers that changed by what one gateway saw since it last said so, by target."""
    with database.transaction(power_safe=False):
        found = [_add(database, target, seen[target], rules, now=now) for target in sorted(seen)]
        oldest = microseconds(now - timedelta(seconds=rules.window_seconds)) - _SLICE_US
        database.execute("DELETE FROM breaker_count WHERE slice_us < ?", (oldest,))
    return [each for each in found if each is not None]


def _add(
    database: Database, target: str, seen: Outcomes, rules: BreakerRules, *, now: datetime
) -> Transition | None:
    # The breaker's row is locked first, and targets in their order: so gateways wait in a line.
    old = _locked(database, target)
    slice_us = microseconds(now) // _SLICE_US * _SLICE_US
    database.execute(
        "INSERT INTO breaker_count (target, slice_us, calls, failures) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (target, slice_us) DO UPDATE SET"
        " calls = breaker_count.calls + excluded.calls,"
        " failures = breaker_count.failures + excluded.failures",
        (target, slice_us, seen.calls, seen.failures),
    )
    window = _in_window(database, target, rules, now=now)
    probes = Outcomes(probes_passed=seen.probes_passed, probes_failed=seen.probes_failed)
    return _changed(database, target, old, decided(old, window + probes, rules, now))


def _locked(database: Database, target: str) -> Breaker:
    database.execute(
        "INSERT INTO breaker (target) VALUES (?) ON CONFLICT (target) DO NOTHING", (target,)
    )
    lock = for_update(database)
    row = only_row(database, f"SELECT {_COLUMNS} FROM breaker WHERE target = ?{lock}", (target,))  # noqa: S608 - ours
    return _read(row)


def _in_window(database: Database, target: str, rules: BreakerRules, *, now: datetime) -> Outcomes:
    since_us = microseconds(now - timedelta(seconds=rules.window_seconds))
    calls, failures = only_row(
        database,
        "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(failures), 0) FROM breaker_count"
        " WHERE target = ? AND slice_us > ?",
        (target, since_us),
    )
    return Outcomes(int(calls), int(failures))


def _changed(database: Database, target: str, old: Breaker, new: Breaker) -> Transition | None:
    """The change, once it is written; what was counted before a breaker closed does not open it."""
    if new == old:
        return None
    database.execute(
        "UPDATE breaker SET phase = ?, since_us = ?, until_us = ?, openings = ?,"
        " probe_until_us = ?, why = ? WHERE target = ?",
        (
            new.stored,
            _us(new.since),
            _us(new.until),
            new.openings,
            _us(new.probe_until),
            new.why,
            target,
        ),
    )
    if new.stored is Phase.CLOSED:
        database.execute("DELETE FROM breaker_count WHERE target = ?", (target,))
    return Transition(target, old, new)


def standing_open(database: Database) -> dict[str, Breaker]:
    """The breakers that are not closed, by target; few ever are."""
    rows = database.execute(f"SELECT target, {_COLUMNS} FROM breaker WHERE phase <> 'closed'")  # noqa: S608 - ours
    return {row[0]: _read(row[1:]) for row in rows}


def every_breaker(
    database: Database, rules: BreakerRules, *, now: datetime
) -> list[CountedBreaker]:
    """Every breaker that any call ever reached, in the order of their targets."""
    rows = database.execute(f"SELECT target, {_COLUMNS} FROM breaker ORDER BY target").fetchall()  # noqa: S608 - ours
    return [
        CountedBreaker(row[0], _read(row[1:]), _in_window(database, row[0], rules, now=now))
        for row in rows
    ]


def claim_probe(database: Database, target: str, rules: BreakerRules, *, now: datetime) -> bool:
    """Whether the caller, and nobody else meanwhile, may probe a half-open breaker with one call.

    A caller that dies says nothing; after `rules.probe_seconds` another one may.
    """
    now_us = microseconds(now)
    until_us = microseconds(now + timedelta(seconds=rules.probe_seconds))
    claimed = database.execute(
        "UPDATE breaker SET probe_until_us = ? WHERE target = ? AND phase = 'open'"
        " AND until_us <= ? AND (probe_until_us IS NULL OR probe_until_us <= ?)",
        (until_us, target, now_us, now_us),
    )
    return claimed.rowcount == 1


def open_breaker(
    database: Database, target: str, *, now: datetime, lasting: timedelta | None = None
) -> Transition:
    """The breaker, opened by hand, for a time or until it is closed by hand.

    A target that no call has reached yet is kept away from calls as well.
    """

    def opened(old: Breaker) -> Breaker:
        return opened_by_hand(old, now, lasting=lasting)

    return _by_hand(database, target, opened)


def close_breaker(database: Database, target: str, *, now: datetime) -> Transition:
    """The breaker, closed by hand, with nothing counted.

    Raises:
        NotFound: no target of that name has a breaker.
    """
    known = [row[0] for row in database.execute("SELECT target FROM breaker ORDER BY target")]
    if target not in known:
        remedy = meant(target, known) if known else "`tokonomi breakers list` shows all there are."
        raise NotFound(f"no target {target!r} has a circuit breaker", remedy=remedy)
    return _by_hand(database, target, lambda _: closed_by_hand(now))


def _by_hand(database: Database, target: str, change: Callable[[Breaker], Breaker]) -> Transition:
    with database.transaction():
        old = _locked(database, target)
        new = change(old)
        _changed(database, target, old, new)
    return Transition(target, old, new)


def _read(row: Row) -> Breaker:
    phase, since_us, until_us, openings, probe_until_us, why = row
    return Breaker(
        Phase(phase),
        _instant(since_us),
        _instant(until_us),
        openings,
        _instant(probe_until_us),
        why,
    )


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def _instant(at_us: int | None) -> datetime | None:
    return None if at_us is None else instant(at_us)
