"""What gateway processes know of circuit breakers, over one real store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tokonomi.errors import StoreError
from tokonomi.gateway.breakers import Breakers
from tokonomi.routing.breaker import OPEN_TO_ALL, BreakerRules, Phase
from tokonomi.routing.failure import Health
from tokonomi.storage.breaker_store import open_breaker
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

NOON: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
HALF_OPEN: Final = NOON + 15 * SECOND
TARGET: Final = "vercel/google/gemini-2.5-flash"


@pytest.fixture
def database(new_store: Callable[[], Path | str]) -> Iterator[Database]:
    with closing(open_store(new_store())) as opened:
        yield opened


@pytest.fixture
def breakers() -> Breakers:
    return Breakers()


def call(breakers: Breakers, health: Health, times: int = 1) -> None:
    for _ in range(times):
        breakers.leave(breakers.enter(TARGET), health)


def opened(database: Database, *processes: Breakers) -> None:
    call(processes[0], Health.FAILING, 10)
    for each in processes:
        each.exchange(database, NOON)


def test_what_one_gateway_saw_closes_the_gates_of_all(
    database: Database, breakers: Breakers
) -> None:
    other = Breakers()
    call(breakers, Health.FAILING, 5)
    call(breakers, Health.ALIVE, 5)
    assert breakers.gate(TARGET, NOON) == OPEN_TO_ALL
    [change] = breakers.exchange(database, NOON)
    assert (change.target, change.new.stored) == (TARGET, Phase.OPEN)
    assert other.exchange(database, NOON) == []
    for each in (breakers, other):
        assert not each.gate(TARGET, NOON).lets
        assert each.phases(NOON) == {TARGET: Phase.OPEN}
    assert other.phases(HALF_OPEN) == {TARGET: Phase.HALF_OPEN}


def test_of_two_gateways_that_want_to_probe_one_may_and_with_one_call(
    database: Database, breakers: Breakers
) -> None:
    other = Breakers()
    opened(database, breakers, other)
    for each in (breakers, other):
        assert not each.gate(TARGET, HALF_OPEN).lets
        each.exchange(database, HALF_OPEN)
    assert [each.gate(TARGET, HALF_OPEN).lets for each in (breakers, other)] == [True, False]
    probe = breakers.enter(TARGET)
    assert not breakers.gate(TARGET, HALF_OPEN).lets
    breakers.leave(probe, Health.ALIVE)
    [closed] = breakers.exchange(database, HALF_OPEN)
    assert closed.new.stored is Phase.CLOSED
    assert breakers.gate(TARGET, HALF_OPEN) == OPEN_TO_ALL


def test_nobody_probes_what_nobody_wants_to_call(database: Database, breakers: Breakers) -> None:
    opened(database, breakers)
    breakers.exchange(database, HALF_OPEN)
    assert not breakers.gate(TARGET, HALF_OPEN).lets


def test_a_failed_probe_opens_it_for_longer(database: Database, breakers: Breakers) -> None:
    opened(database, breakers)
    breakers.gate(TARGET, HALF_OPEN)
    breakers.exchange(database, HALF_OPEN)
    call(breakers, Health.FAILING)
    [change] = breakers.exchange(database, HALF_OPEN)
    assert change.new.until == HALF_OPEN + 30 * SECOND


def test_a_probe_that_tells_nothing_leaves_its_place_to_another(
    database: Database, breakers: Breakers
) -> None:
    opened(database, breakers)
    breakers.gate(TARGET, HALF_OPEN)
    breakers.exchange(database, HALF_OPEN)
    call(breakers, Health.SILENT)
    assert breakers.gate(TARGET, HALF_OPEN).lets
    assert not breakers.gate(TARGET, HALF_OPEN + 60 * SECOND).lets


def test_calls_that_left_before_it_opened_are_no_probes(
    database: Database, breakers: Breakers
) -> None:
    early = breakers.enter(TARGET)
    opened(database, breakers)
    breakers.leave(early, Health.ALIVE)
    assert breakers.exchange(database, HALF_OPEN) == []
    assert breakers.phases(HALF_OPEN) == {TARGET: Phase.HALF_OPEN}


def test_calls_that_went_well_are_brought_together_and_a_failure_at_once(
    database: Database, breakers: Breakers
) -> None:
    def stored() -> int:
        [(calls,)] = database.execute("SELECT COALESCE(SUM(calls), 0) FROM breaker_count")
        return int(calls)

    breakers.exchange(database, NOON)
    for at, health, expected in (
        (NOON, Health.ALIVE, 1),
        (NOON + 4 * SECOND, Health.ALIVE, 1),
        (NOON + 5 * SECOND, Health.ALIVE, 3),
        (NOON + 6 * SECOND, Health.FAILING, 4),
    ):
        call(breakers, health)
        breakers.exchange(database, at)
        assert stored() == expected


def test_what_was_seen_is_kept_while_the_store_cannot_be_written(
    database: Database, breakers: Breakers
) -> None:
    call(breakers, Health.FAILING, 6)
    database.define("ALTER TABLE breaker_count RENAME TO away;")
    with pytest.raises(StoreError):
        breakers.exchange(database, NOON)
    database.define("ALTER TABLE away RENAME TO breaker_count;")
    call(breakers, Health.FAILING, 4)
    [change] = breakers.exchange(database, NOON)
    assert change.new.why == "10 of 10 calls failed"


def test_a_breaker_that_a_person_holds_open_is_known_by_every_gateway(
    database: Database, breakers: Breakers
) -> None:
    open_breaker(database, TARGET, now=NOON)
    breakers.exchange(database, NOON)
    assert breakers.gate(TARGET, NOON).held


def test_targets_in_use_are_shown_closed_and_rules_are_replaced_while_it_runs(
    database: Database, breakers: Breakers
) -> None:
    breakers.follow(BreakerRules(minimum_calls=1), {TARGET, "other/m"})
    assert set(breakers.phases(NOON).values()) == {Phase.CLOSED}
    call(breakers, Health.FAILING)
    breakers.exchange(database, NOON)
    assert breakers.phases(NOON) == {TARGET: Phase.OPEN, "other/m": Phase.CLOSED}
