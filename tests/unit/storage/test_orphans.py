"""Workers that die, and the calls that they leave in flight."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.engine import open_store
from tokonomi.storage.orphans import sweep
from tokonomi.usage import Source, Usage

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
DIES_IN_FLIGHT = """
import asyncio, os, sys
from datetime import UTC, datetime
from pathlib import Path
from tokonomi.calls import Dimensions, Intent
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.recorder import Recorder

async def main():
    store, at = Path(sys.argv[1]), datetime(2026, 1, 30, 12, tzinfo=UTC)
    worker = workers.register(open_store(store), store, now=at)
    recorder = Recorder(store, worker.id)
    for name in sys.argv[2:]:
        who = Dimensions(project="p", alias="a", provider="openai")
        await recorder.begin(
            Intent(id=name, at=at, dimensions=who, model="gpt-4o-mini", input_bound=900)
        )
    os._exit(9)

asyncio.run(main())
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "tokonomi.db"


def die_in_flight(store: Path, *ids: str) -> None:
    done = subprocess.run([sys.executable, "-c", DIES_IN_FLIGHT, str(store), *ids], check=False)
    assert done.returncode == 9


def test_calls_of_a_dead_worker_become_rows_that_say_so(store: Path) -> None:
    die_in_flight(store, "a.1", "b.2")
    with closing(open_store(store)) as connection:
        found = sweep(connection, store, now=AT)
        assert found.dead_workers == 1
        assert [orphan.id for orphan in found.orphans] == ["a.1", "b.2"]
        columns = "id, status, source, amount, output, requests, unpriced, project, model_asked"
        [first, second] = connection.execute(f"SELECT {columns} FROM call ORDER BY seq").fetchall()
        reason = (
            "the gateway died with this call in flight;"
            " the provider may bill up to 900 input tokens, and its output"
        )
        rest = ("orphaned", "absent", None, 0, 0, reason, "p", "gpt-4o-mini")
        assert (first, second) == (("a.1", *rest), ("b.2", *rest))
        assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


def test_a_second_sweep_finds_nothing(store: Path) -> None:
    die_in_flight(store, "a.1")
    with closing(open_store(store)) as connection:
        sweep(connection, store, now=AT)
        assert sweep(connection, store, now=AT).orphans == ()
        assert connection.execute("SELECT count(*) FROM call").fetchone() == (1,)
    assert list(store.with_name("tokonomi.db.workers").iterdir()) == []


def test_attempts_of_a_living_worker_are_left_alone(store: Path) -> None:
    with closing(open_store(store)) as connection:
        worker = workers.register(connection, store, now=AT)
        connection.execute("INSERT INTO attempt VALUES ('a.1', ?, x'00')", (worker.id,))
        found = sweep(connection, store, now=AT)
        assert (found.dead_workers, found.orphans) == (0, ())
        assert connection.execute("SELECT id FROM attempt").fetchall() == [("a.1",)]


def test_a_call_that_was_settled_before_the_crash_keeps_its_row(store: Path) -> None:
    die_in_flight(store, "a.1")
    settled = Call(
        intent=Intent(id="a.1", at=AT, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=Usage(at=AT, output=7),
        cost=Unpriced("no price"),
        status=Status.OK,
    )
    with closing(open_store(store)) as connection:
        connection.execute(INSERT, row_of(settled))
        sweep(connection, store, now=AT)
        rows = connection.execute("SELECT status, output FROM call").fetchall()
        assert rows == [("ok", 7)]


def test_a_worker_that_ended_well_is_not_dead_and_leaves_nothing(store: Path) -> None:
    with closing(open_store(store)) as connection:
        worker = workers.register(connection, store, now=AT)
        workers.retire(connection, worker, now=AT)
        assert sweep(connection, store, now=AT).dead_workers == 0
        assert connection.execute("SELECT ended_us IS NULL FROM worker").fetchall() == [(0,)]
    assert not worker.lock_path.exists()


def test_an_attempt_that_a_worker_left_when_it_ended_is_an_orphan_too(store: Path) -> None:
    left = Intent(id="a.1", at=AT, dimensions=Dimensions(), model="m", input_bound=5)
    with closing(open_store(store)) as connection:
        worker = workers.register(connection, store, now=AT)
        blob = msgspec.msgpack.encode(left)
        connection.execute("INSERT INTO attempt VALUES ('a.1', ?, ?)", (worker.id, blob))
        workers.retire(connection, worker, now=AT)
        assert sweep(connection, store, now=AT).orphans == (left,)
        assert connection.execute("SELECT source FROM call").fetchall() == [(Source.ABSENT,)]
