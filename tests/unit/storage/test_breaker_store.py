"""Circuit breakers that gateways share through the store."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tokonomi.errors import NotFound
from tokonomi.routing.breaker import Breaker, BreakerRules, Outcomes, Phase
from tokonomi.storage.breaker_store import (
    CountedBreaker,
    Transition,
    add_outcomes,
    claim_probe,
    close_breaker,
    every_breaker,
    open_breaker,
    standing_open,
)
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

NOON: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULES: Final = BreakerRules()
SECOND: Final = timedelta(seconds=1)
VERCEL, OPENROUTER = "vercel/google/gemini-2.5-flash", "openrouter/openai/gpt-5.1"
OPENED: Final = Breaker(Phase.OPEN, NOON, NOON + 15 * SECOND, 1, why="6 of 10 calls failed")
FAILED_PROBE: Final = Outcomes(1, 1, probes_failed=1)
PASSED_PROBE: Final = Outcomes(1, probes_passed=1)


def add(
    database: Database, seen: Outcomes, at: datetime = NOON, target: str = VERCEL
) -> list[Transition]:
    return add_outcomes(database, {target: seen}, RULES, now=at)


def test_what_two_gateways_saw_opens_one_breaker_once(database: Database) -> None:
    assert add(database, Outcomes(5, 3)) == []
    assert add(database, Outcomes(5, 3)) == [Transition(VERCEL, Breaker(), OPENED)]
    assert add(database, Outcomes(5, 5)) == []
    assert standing_open(database) == {VERCEL: OPENED}


def test_targets_are_counted_apart(database: Database) -> None:
    add_outcomes(database, {VERCEL: Outcomes(6, 6), OPENROUTER: Outcomes(6)}, RULES, now=NOON)
    assert every_breaker(database, RULES, now=NOON) == [
        CountedBreaker(OPENROUTER, Breaker(), Outcomes(6)),
        CountedBreaker(VERCEL, Breaker(), Outcomes(6, 6)),
    ]
    assert standing_open(database) == {}


def test_calls_count_until_the_window_has_passed_and_are_then_removed(database: Database) -> None:
    add(database, Outcomes(9, 9))
    assert add(database, Outcomes(1, 0), NOON + 55 * SECOND) != []
    close_breaker(database, VERCEL, now=NOON + 56 * SECOND)
    add(database, Outcomes(9, 9), NOON + 60 * SECOND)
    assert add(database, Outcomes(1, 0), NOON + 121 * SECOND) == []
    add(database, Outcomes(1, 0), NOON + 200 * SECOND)
    kept = database.execute("SELECT calls FROM breaker_count").fetchall()
    assert [row[0] for row in kept] == [1]


def test_a_passed_probe_closes_it_and_what_failed_before_does_not_open_it_again(
    database: Database,
) -> None:
    add(database, Outcomes(10, 6))
    [closed] = add(database, PASSED_PROBE, NOON + 16 * SECOND)
    assert closed.new.stored is Phase.CLOSED
    assert standing_open(database) == {}
    assert add(database, Outcomes(9, 8), NOON + 17 * SECOND) == []


def test_only_one_caller_may_probe_at_a_time(database: Database) -> None:
    add(database, Outcomes(10, 6))
    half_open = NOON + 15 * SECOND
    assert not claim_probe(database, VERCEL, RULES, now=NOON)
    assert claim_probe(database, VERCEL, RULES, now=half_open)
    assert not claim_probe(database, VERCEL, RULES, now=half_open + 59 * SECOND)
    assert claim_probe(database, VERCEL, RULES, now=half_open + 60 * SECOND)
    [reopened] = add(database, FAILED_PROBE, half_open + 61 * SECOND)
    assert reopened.new.until == half_open + 91 * SECOND
    assert reopened.new.probe_until is None


def test_many_gateways_write_one_transition_and_get_one_probe(
    new_store: Callable[[], Path | str],
) -> None:
    store = new_store()
    changes: list[Transition] = []
    probes: list[bool] = []
    start = threading.Barrier(4)
    targets = {VERCEL: Outcomes(5, 4), OPENROUTER: Outcomes(5, 4)}

    def gateway() -> None:
        with closing(open_store(store)) as database:
            start.wait()
            for _ in range(5):
                changes.extend(add_outcomes(database, targets, RULES, now=NOON))
            start.wait()
            probes.append(claim_probe(database, VERCEL, RULES, now=NOON + 20 * SECOND))

    with closing(open_store(store)):
        threads = [threading.Thread(target=gateway) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(each.target for each in changes) == [OPENROUTER, VERCEL]
    assert sorted(probes) == [False, False, False, True]


def test_a_person_opens_and_closes_a_breaker(database: Database) -> None:
    held = open_breaker(database, VERCEL, now=NOON)
    assert held.new.stored is Phase.HELD
    assert add(database, Outcomes(10, 0, probes_passed=1)) == []
    assert not claim_probe(database, VERCEL, RULES, now=NOON + 9999 * SECOND)
    closed = close_breaker(database, VERCEL, now=NOON)
    assert (closed.old.stored, closed.new.stored) == (Phase.HELD, Phase.CLOSED)
    opened = open_breaker(database, VERCEL, now=NOON, lasting=60 * SECOND)
    assert opened.new.until == NOON + 60 * SECOND
    assert claim_probe(database, VERCEL, RULES, now=NOON + 60 * SECOND)


def test_a_breaker_that_nobody_knows_cannot_be_closed(database: Database) -> None:
    with pytest.raises(NotFound, match=r"tokonomi breakers list"):
        close_breaker(database, VERCEL, now=NOON)
    add(database, Outcomes(1))
    with pytest.raises(NotFound, match=f'Did you mean "{VERCEL}"'):
        close_breaker(database, VERCEL.removesuffix("h"), now=NOON)
