"""The exporter and the compactor die at every step; each call still counts exactly once."""

import shutil
import sqlite3
import subprocess
import sys
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
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import Exported, export
from tokonomi.storage.lake_files import live_files
from tokonomi.storage.location import Location
from tokonomi.storage.retention import sweep
from tokonomi.usage import Usage

WORKER = Path(__file__).with_name("stopping_lake_work.py")
START = datetime(2026, 1, 30, tzinfo=UTC)
DIED, DONE = 9, 0
FAR_US = 2**52


def settle(connection: sqlite3.Connection, ids: range) -> None:
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
    command = [sys.executable, str(WORKER), name, str(location.store), str(steps)]
    return subprocess.run(command, check=False, timeout=60).returncode


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(tmp_path / "data" / "calls.db")


def test_an_export_that_dies_at_any_step_loses_and_doubles_nothing(location: Location) -> None:
    connection = open_store(location.store)
    settle(connection, range(6))
    connection.close()
    untouched = location.store.parent.with_name("untouched")
    shutil.copytree(location.store.parent, untouched)
    steps = 1
    while work("export", location, steps) == DIED:
        assert seen(location) == list(range(6)), f"after dying at step {steps}"
        connection = open_store(location.store)
        settle(connection, range(6, 9))
        export(connection, location.lake)
        assert seen(location) == list(range(9)), f"after recovering from step {steps}"
        sweep(connection, location.lake, now_us=FAR_US)
        assert on_disk(location) == {file.path for file in live_files(connection)}
        connection.close()
        shutil.rmtree(location.store.parent)
        shutil.copytree(untouched, location.store.parent)
        steps += 1
    assert steps > 15
    assert seen(location) == list(range(6))


def test_a_compaction_that_dies_at_any_step_loses_and_doubles_nothing(location: Location) -> None:
    connection = open_store(location.store)
    settle(connection, range(6))
    export(connection, location.lake, chunk_rows=2)
    connection.close()
    untouched = location.store.parent.with_name("untouched")
    shutil.copytree(location.store.parent, untouched)
    steps = 1
    while work("compact", location, steps) == DIED:
        assert seen(location) == list(range(6)), f"after dying at step {steps}"
        connection = open_store(location.store)
        compact(connection, location.lake, now_us=0)
        assert seen(location) == list(range(6)), f"after recovering from step {steps}"
        assert len(live_files(connection)) == 2
        sweep(connection, location.lake, now_us=FAR_US)
        assert on_disk(location) == {file.path for file in live_files(connection)}
        assert seen(location) == list(range(6)), f"after the sweep that followed step {steps}"
        connection.close()
        shutil.rmtree(location.store.parent)
        shutil.copytree(untouched, location.store.parent)
        steps += 1
    assert steps > 10
    assert seen(location) == list(range(6))


def test_two_exporters_of_the_same_chunk_enter_it_once(location: Location) -> None:
    first, second = open_store(location.store), open_store(location.store)
    settle(first, range(4))
    others: list[Exported] = []

    def let_the_other_win(step: str) -> None:
        if step == "the folders are on disk" and not others:
            others.append(export(second, location.lake))

    assert export(first, location.lake, on_step=let_the_other_win) == Exported(rows=0, files=0)
    assert others == [Exported(rows=4, files=2)]
    assert seen(location) == list(range(4))


def test_a_report_that_began_before_a_compaction_keeps_its_files(location: Location) -> None:
    connection = open_store(location.store)
    settle(connection, range(4))
    export(connection, location.lake, chunk_rows=2)
    with open_calls(location, ["output"]) as calls:
        compact(connection, location.lake, now_us=0)
        sweep(connection, location.lake, now_us=1)
        assert numbers(calls) == list(range(4))


def test_readers_see_every_call_once_while_an_export_and_a_compaction_run(
    location: Location,
) -> None:
    connection = open_store(location.store)
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
    with closing(open_store(location.store)) as connection:
        export(connection, location.lake, chunk_rows=2)
        compact(connection, location.lake, now_us=0)
        sweep(connection, location.lake, now_us=1, grace_us=FAR_US)
