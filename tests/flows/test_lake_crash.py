"""The exporter and the compactor die at every step; each call still counts exactly once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage.analytics import Calls, fetch, open_calls
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.compaction import compact
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import Exported, export
from tokonomi.storage.lake_files import live_files
from tokonomi.storage.location import Location
from tokonomi.storage.retention import sweep
from tokonomi.usage import Usage

NewLocation = Callable[[], Location]

WORKER = Path(__file__).with_name("stopping_lake_work.py")
START = datetime(2026, 1, 30, tzinfo=UTC)
DIED, DONE = 9, 0
FAR_US = 2**52


def settle(connection: Database, ids: range) -> None:
    calls = [
        Call(
            intent=Intent(id=f"{n}.1", at=at, dimensions=Dimensions(), model="m"),
            model_served="m",
            usage=Usage(at=at, output=n),
            cost=Unpriced("not asked"),
            status=Status.OK,
        )
        for n in ids
        for at in [START + timedelta(days=n % 2)]
    ]
    with connection.transaction():
        connection.executemany(INSERT, [row_of(call) for call in calls])


def numbers(calls: Calls) -> list[int]:
    return sorted(row["output"] for row in fetch(calls.table))


def seen(location: Location) -> list[int]:
    with open_calls(location, ["output"]) as calls:
        return numbers(calls)


def on_disk(location: Location) -> set[str]:
    files = location.lake.glob("usage/*/*")
    return {path.relative_to(location.lake).as_posix() for path in files}


def work(name: str, location: Location, steps: int) -> int:
    command = [
        sys.executable,
        str(WORKER),
        name,
        str(location.address),
        str(location.lake),
        str(steps),
    ]
    return subprocess.run(command, check=False, timeout=60).returncode


@pytest.fixture
def location(new_location: NewLocation) -> Location:
    return new_location()


def killed_at_each_step(
    new_location: NewLocation, name: str, prepare: Callable[[Database, Location], None]
) -> Iterator[tuple[int, int, Location, Database]]:
    """A prepared store for each step, and the exit code of the work that was to die there."""
    outcome, steps = DIED, 0
    while outcome == DIED:
        steps += 1
        location = new_location()
        with closing(open_store(location.address)) as database:
            prepare(database, location)
            outcome = work(name, location, steps)
            yield outcome, steps, location, database


def test_an_export_that_dies_at_any_step_loses_and_doubles_nothing(
    new_location: NewLocation,
) -> None:
    def prepare(database: Database, _: Location) -> None:
        settle(database, range(6))

    steps = 0
    for outcome, steps, location, database in killed_at_each_step(new_location, "export", prepare):
        assert seen(location) == list(range(6)), f"after step {steps}"
        if outcome == DONE:
            break
        settle(database, range(6, 9))
        export(database, location.lake)
        assert seen(location) == list(range(9)), f"after recovering from step {steps}"
        sweep(database, location.lake, now_us=FAR_US)
        assert on_disk(location) == {file.path for file in live_files(database)}
    assert steps > 15


def test_a_compaction_that_dies_at_any_step_loses_and_doubles_nothing(
    new_location: NewLocation,
) -> None:
    def prepare(database: Database, location: Location) -> None:
        settle(database, range(6))
        export(database, location.lake, chunk_rows=2)

    steps = 0
    for outcome, steps, location, database in killed_at_each_step(new_location, "compact", prepare):
        assert seen(location) == list(range(6)), f"after step {steps}"
        if outcome == DONE:
            break
        compact(database, location.lake, now_us=0)
        assert seen(location) == list(range(6)), f"after recovering from step {steps}"
        assert len(live_files(database)) == 2
        sweep(database, location.lake, now_us=FAR_US)
        assert on_disk(location) == {file.path for file in live_files(database)}
        assert seen(location) == list(range(6)), f"after the sweep that followed step {steps}"
    assert steps > 10


def test_two_exporters_of_the_same_chunk_enter_it_once(location: Location) -> None:
    first, second = open_store(location.address), open_store(location.address)
    settle(first, range(4))
    others: list[Exported] = []

    def let_the_other_win(step: str) -> None:
        if step == "the folders are on disk" and not others:
            others.append(export(second, location.lake))

    assert export(first, location.lake, on_step=let_the_other_win) == Exported(rows=0, files=0)
    assert others == [Exported(rows=4, files=2)]
    assert seen(location) == list(range(4))
    first.close()
    second.close()


def test_a_report_that_began_before_a_compaction_keeps_its_files(location: Location) -> None:
    with closing(open_store(location.address)) as connection:
        settle(connection, range(4))
        export(connection, location.lake, chunk_rows=2)
        with open_calls(location, ["output"]) as calls:
            compact(connection, location.lake, now_us=0)
            sweep(connection, location.lake, now_us=1)
            assert numbers(calls) == list(range(4))


def test_readers_see_every_call_once_while_an_export_and_a_compaction_run(
    location: Location,
) -> None:
    connection = open_store(location.address)
    settle(connection, range(40))
    connection.close()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(export_and_compact, location)
        reads = 0
        while not running.done() or reads == 0:
            assert seen(location) == list(range(40))
            reads += 1
        running.result()
    assert seen(location) == list(range(40))


def export_and_compact(location: Location) -> None:
    with closing(open_store(location.address)) as connection:
        export(connection, location.lake, chunk_rows=2)
        compact(connection, location.lake, now_us=0)
        sweep(connection, location.lake, now_us=1, grace_us=FAR_US)
