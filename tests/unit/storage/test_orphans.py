"""Workers that die, and the calls that they leave in flight."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from ledger_calls import Calls
from msgspec.structs import replace

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.credits.grant import Grant
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.orphans import Sweep, orphaned, sweep
from tokonomi.storage.wallet_store import promote, wallets
from tokonomi.usage import Source, Usage

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
BUDGET = Funding("a budget", "USD", limit=100)
DIES_IN_FLIGHT = """
import asyncio, os, sys
from datetime import UTC, datetime
from tokonomi.calls import Dimensions, Intent
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.recorder import Recorder

async def main():
    store, at = sys.argv[1], datetime(2026, 1, 30, 12, tzinfo=UTC)
    living = open_store(store)
    recorder = Recorder(store, workers.register(living, now=at))
    for name in sys.argv[2:]:
        who = Dimensions(project="p", alias="a", provider="openai")
        await recorder.begin(
            Intent(id=name, at=at, dimensions=who, model="gpt-4o-mini", input_bound=900)
        )
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def die_in_flight(store: Path | str, *ids: str) -> None:
    done = subprocess.run([sys.executable, "-c", DIES_IN_FLIGHT, str(store), *ids], check=False)
    assert done.returncode == -9


def sweep_until_dead(database: Database) -> Sweep:
    """The sweep that finds a dead worker: a server needs a moment to see that a process is gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = sweep(database, now=AT)
        if found.dead_workers or only_row(database, "SELECT count(*) FROM attempt") == (0,):
            return found
    pytest.fail("the dead worker still counts as alive")


def an_intent() -> Intent:
    return Intent(id="a.1", at=AT, dimensions=Dimensions(), model="m", input_bound=5)


def left_in_flight(database: Database, worker: int, intent: Intent) -> None:
    database.execute(
        "INSERT INTO attempt (id, worker_id, intent) VALUES (?, ?, ?)",
        (intent.id, worker, msgspec.msgpack.encode(intent)),
    )


def test_calls_of_a_dead_worker_become_rows_that_say_so(
    store: Path | str, database: Database
) -> None:
    die_in_flight(store, "a.1", "b.2")
    found = sweep_until_dead(database)
    assert found.dead_workers == 1
    assert [orphan.id for orphan in found.orphans] == ["a.1", "b.2"]
    columns = "id, status, source, amount, output, requests, unpriced, project, model_asked"
    [first, second] = database.execute(f"SELECT {columns} FROM call ORDER BY seq").fetchall()
    reason = (
        "its process died with this call in flight;"
        " the provider may bill up to 900 input tokens, and its output"
    )
    rest = ("orphaned", "absent", None, 0, 0, reason, "p", "gpt-4o-mini")
    assert (first, second) == (("a.1", *rest), ("b.2", *rest))
    assert only_row(database, "SELECT count(*) FROM attempt") == (0,)


def test_a_second_sweep_finds_nothing(store: Path | str, database: Database) -> None:
    die_in_flight(store, "a.1")
    sweep_until_dead(database)
    assert sweep(database, now=AT).orphans == ()
    assert only_row(database, "SELECT count(*) FROM call") == (1,)
    if isinstance(store, Path):
        left = [each.name for each in store.with_name("tokonomi.db.workers").iterdir()]
        assert left == ["accounts.lock"]


def test_attempts_of_a_living_worker_are_left_alone(store: Path | str, database: Database) -> None:
    with closing(open_store(store)) as other:
        worker = workers.register(other, now=AT)
        left_in_flight(database, worker, an_intent())
        found = sweep(database, now=AT)
    assert (found.dead_workers, found.orphans) == (0, ())
    assert database.execute("SELECT id FROM attempt").fetchall() == [("a.1",)]


def test_a_call_that_was_settled_before_the_crash_keeps_its_row(
    store: Path | str, database: Database
) -> None:
    die_in_flight(store, "a.1")
    settled = Call(
        intent=an_intent(),
        model_served="m",
        usage=Usage(at=AT, output=7),
        cost=Unpriced("no price"),
        status=Status.OK,
    )
    database.execute(INSERT, row_of(settled))
    sweep_until_dead(database)
    rows = database.execute("SELECT status, output FROM call").fetchall()
    assert rows == [("ok", 7)]


def test_a_beginning_that_is_committed_after_its_end_is_freed_of_a_living_worker(
    store: Path | str, database: Database
) -> None:
    intent = an_intent()
    never_sent = replace(orphaned(intent), status=Status.FAILED, exposure=None)
    begin = Begin(intent, (Claim("budget", 70, BUDGET),))
    with closing(open_store(store)) as living:
        worker = workers.register(living, now=AT)
        write_group(database, worker, [Settle(never_sent)], at_us=1)
        write_group(database, worker, [begin], at_us=1)
        assert only_row(database, "SELECT debits_pending FROM account") == (70,)
        assert sweep(database, now=AT) == Sweep(0, (), (intent,))
    columns = "debits_pending, debits_posted, exposed"
    assert only_row(database, f"SELECT {columns} FROM account") == (0, 0, 0)
    assert only_row(database, "SELECT count(*) FROM attempt") == (0,)
    assert database.execute("SELECT status FROM call").fetchall() == [("failed",)]
    assert verify(database).imbalances == ()


def test_a_worker_that_ended_well_is_not_dead_and_leaves_nothing(
    store: Path | str, database: Database
) -> None:
    worker = workers.register(database, now=AT)
    assert database.is_alive(worker)
    workers.retire(database, worker, now=AT)
    assert sweep(database, now=AT).dead_workers == 0
    assert database.execute("SELECT ended_us IS NULL FROM worker").fetchall() == [(0,)]
    if isinstance(store, Path):
        assert list(store.with_name("tokonomi.db.workers").iterdir()) == []


def test_an_attempt_that_a_worker_left_when_it_ended_is_an_orphan_too(database: Database) -> None:
    worker = workers.register(database, now=AT)
    left_in_flight(database, worker, an_intent())
    workers.retire(database, worker, now=AT)
    assert sweep(database, now=AT).orphans == (an_intent(),)
    assert database.execute("SELECT source FROM call").fetchall() == [(Source.ABSENT,)]


def test_what_a_dead_worker_held_of_a_wallet_is_free_again(
    database: Database, calls: Calls
) -> None:
    gift = Grant(
        id="promotion/1", wallet="default:user:ani", amount=100, granted_at=AT, promotional=True
    )
    promote(database, gift)
    assert calls.begin("default:user:ani", 70) is not None
    assert calls.begin("default:user:ani", 70) is None
    # The worker of `calls` never gave a sign of life.
    assert sweep(database, now=AT).dead_workers == 1
    [wallet] = wallets(database)
    assert (wallet.held, wallet.available) == (0, 100)
    assert verify(database).imbalances == ()


def test_what_a_dead_worker_held_of_a_budget_is_exposed(database: Database, calls: Calls) -> None:
    assert calls.begin(BUDGET, 70) is not None
    sweep(database, now=AT)
    columns = "debits_pending, debits_posted, exposed"
    assert only_row(database, f"SELECT {columns} FROM account") == (0, 70, 70)
    refused = calls.refused(BUDGET, 31)
    assert (refused.available, refused.spent, refused.exposed) == (30, 0, 70)
    assert refused.exposure_blocks
    assert not refused.only_holds_block
    assert verify(database).imbalances == ()


def test_many_sweepers_at_once_settle_each_orphan_once(
    store: Path | str, database: Database
) -> None:
    names = [f"{number:02}.1" for number in range(20)]
    die_in_flight(store, *names)
    sweepers = [open_store(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sweep_until_dead, sweepers))
    for sweeper in sweepers:
        sweeper.close()
    assert database.execute("SELECT id FROM call ORDER BY id").fetchall() == [(n,) for n in names]
    assert only_row(database, "SELECT count(*) FROM attempt") == (0,)
