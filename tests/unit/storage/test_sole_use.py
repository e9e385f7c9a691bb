"""Who may change accounts: everybody in turns, or one worker alone, until it is asked or dies."""

import asyncio
import fcntl
import os
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from recorded_calls import (
    AT,
    assert_balanced,
    attempts,
    booked,
    held_by,
    intent,
    on_budget,
    opened,
    rows,
    run,
    settled,
)

from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Refusal
from tokonomi.storage import orphans, workers
from tokonomi.storage.call_groups import Begin, write_group
from tokonomi.storage.database import Database, StoreBusy, StoreRefused
from tokonomi.storage.engine import open_store
from tokonomi.storage.log_recovery import bring_in_log
from tokonomi.storage.sole_use import Bell, SoleUse
from tokonomi.storage.sqlite import SqliteDatabase

NORMAL, FULL = 1, 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workers"


@contextmanager
def connection(file: Path) -> Generator[SqliteDatabase]:
    with closing(open_store(file)) as database:
        assert isinstance(database, SqliteDatabase)
        yield database


@pytest.fixture
def two(folder: Path) -> Iterator[tuple[SoleUse, SoleUse]]:
    one, other = (SoleUse(folder, patience_seconds=0) for _ in range(2))
    with closing(one), closing(other):
        yield one, other


def is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def killed_alone(file: Path, *amounts: int) -> int:
    """The id of a worker that was killed while it alone changed accounts."""
    script = Path(__file__).with_name("dying_worker.py")
    command = [sys.executable, str(script), str(file), *map(str, amounts)]
    assert subprocess.run(command, check=False).returncode == -9
    ((worker,),) = booked(file, "SELECT max(id) FROM worker")
    assert isinstance(worker, int)
    return worker


def test_whoever_is_alone_keeps_others_out_until_it_lets_go(two: tuple[SoleUse, SoleUse]) -> None:
    one, other = two
    assert one.take(1)
    with pytest.raises(StoreBusy, match="worker 1 changes the accounts of the store alone"):
        other.share()
    assert not other.take(2)
    one.let_go()
    assert other.share() == 0
    assert not one.take(1)
    other.unshare()
    assert one.take(1)


def test_those_who_take_turns_keep_nobody_out_but_whoever_wants_to_be_alone(
    two: tuple[SoleUse, SoleUse],
) -> None:
    one, other = two
    assert (one.share(), other.share(), one.share()) == (0, 0, 0)
    one.unshare()
    one.unshare()
    assert not one.take(1)
    other.unshare()
    assert one.take(1)


def test_the_turns_of_a_worker_that_is_alone_let_nobody_in(two: tuple[SoleUse, SoleUse]) -> None:
    one, other = two
    assert one.take(1)
    one.share()
    one.share()
    one.unshare()
    one.unshare()
    with pytest.raises(StoreBusy):
        other.share()
    one.let_go()
    assert other.share() == 0


def test_a_turn_that_was_not_given_is_not_owed(two: tuple[SoleUse, SoleUse]) -> None:
    one, other = two
    assert one.take(1)
    for _ in range(3):
        with pytest.raises(StoreBusy):
            other.share()
    one.let_go()
    assert other.share() == 0
    other.unshare()
    assert one.take(1)


def test_whoever_cannot_write_its_name_is_not_alone(two: tuple[SoleUse, SoleUse]) -> None:
    """Nobody would look into its log when it dies."""
    one, other = two
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert other.share() == 0
    other.unshare()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        assert not one.take(1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert other.take(2)


def test_a_lock_that_cannot_be_opened_is_told(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    sole_use = SoleUse(folder, patience_seconds=0)
    for _ in range(2):
        with pytest.raises(StoreError, match="lock on the store's accounts cannot be used"):
            sole_use.share()


def test_a_worker_hears_that_it_is_asked(two: tuple[SoleUse, SoleUse], folder: Path) -> None:
    one, other = two
    with closing(Bell(folder, 1)) as bell:
        assert one.take(1)
        assert not is_readable(bell.descriptor)
        with pytest.raises(StoreBusy):
            other.share()
        assert is_readable(bell.descriptor)
        bell.silence()
        bell.silence()
        assert not is_readable(bell.descriptor)


def test_nobody_waits_for_a_worker_that_was_asked_too_often(
    two: tuple[SoleUse, SoleUse], folder: Path
) -> None:
    one, other = two
    with closing(Bell(folder, 1)) as bell:
        room = fcntl.fcntl(bell.descriptor, fcntl.F_SETPIPE_SZ, 4096)
        assert one.take(1)
        for _ in range(room + 2):
            with pytest.raises(StoreBusy):
                other.share()
        one.let_go()
        assert other.share() == 0


def test_a_worker_without_a_bell_is_waited_for_all_the_same(
    two: tuple[SoleUse, SoleUse], folder: Path
) -> None:
    one, other = two
    assert one.take(1)
    os.mkfifo(folder / "1.bell")
    with pytest.raises(StoreBusy):
        other.share()
    one.let_go()
    assert other.share() == 0


def test_a_turn_is_waited_for_with_patience_and_given_up_then(file: Path) -> None:
    with connection(file) as one, connection(file) as other:
        assert one.sole_use.take(1)
        other.sole_use.patience_seconds = 0.05
        since = time.monotonic()
        with pytest.raises(StoreBusy), other.transaction(accounts=True):
            pass
        assert 0.05 <= time.monotonic() - since < 5
        with other.transaction():
            """What changes no account waits for nobody."""


def test_whoever_waits_gets_its_turn_as_soon_as_it_may(file: Path) -> None:
    with connection(file) as one, connection(file) as other, closing(Bell(file.parent, 1)):
        assert one.sole_use.take(1)
        order: list[str] = []

        def wait() -> None:
            with other.transaction(accounts=True):
                order.append("had its turn")

        waiting = threading.Thread(target=wait)
        waiting.start()
        with one.transaction(accounts=True):
            order.append("alone")
        one.sole_use.let_go()
        waiting.join(10)
    assert order == ["alone", "had its turn"]


def test_a_transaction_that_fails_gives_its_turn_back(file: Path) -> None:
    with connection(file) as one, connection(file) as other:
        with pytest.raises(StoreRefused), other.transaction(accounts=True):
            other.execute("INSERT INTO worker (id) VALUES (NULL)")
        assert one.sole_use.take(1)
        one.sole_use.let_go()
        one.execute("BEGIN IMMEDIATE")
        other.impatient()
        with pytest.raises(StoreBusy), other.transaction(accounts=True):
            pass
        one.execute("ROLLBACK")
        assert one.sole_use.take(1)


def test_what_a_worker_killed_alone_had_decided_is_booked_before_anybody_decides(
    file: Path,
) -> None:
    """Its holds were in its log alone, and they exhaust the budget."""
    with connection(file) as database:
        mine = workers.register(database, now=AT)
        dead = killed_alone(file, 10, 45, 45)
        assert booked(file, "SELECT debits_pending FROM account") == [(10,)]
        [outcome] = write_group(database, mine, [Begin(intent("a"), on_budget(1))], at_us=1)
        assert outcome == Refusal(
            source="budget", needed=1, available=0, reserved=90, spent=10, limit=100
        )
        assert database.sole_use.take(mine)
        database.sole_use.let_go()
        swept = orphans.sweep(database, now=AT)
        assert [it.request_id for it in swept.orphans] == ["dead1", "dead2"]
        assert database.logs().keys() == set()
    assert (dead, attempts(file), settled(file)) == (
        1 + mine,
        [],
        ["dead0.1", "dead1.1", "dead2.1"],
    )
    assert_balanced(file)


def test_a_worker_cannot_be_alone_before_the_log_of_one_that_died_is_booked(file: Path) -> None:
    with connection(file) as database:
        dead = killed_alone(file, 10, 45)
        assert not database.sole_use.take(1 + dead)
        with database.transaction(accounts=True):
            assert database.execute("SELECT debits_pending FROM account").fetchall() == [(45,)]
        assert database.sole_use.take(1 + dead)


def test_a_log_that_cannot_be_booked_is_not_forgotten(file: Path) -> None:
    with connection(file) as database, connection(file) as other:
        killed_alone(file, 10, 45)
        database.impatient()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy), database.transaction(accounts=True):
            pass
        other.execute("ROLLBACK")
        assert not other.sole_use.take(9)
        with database.transaction(accounts=True):
            assert database.execute("SELECT debits_pending FROM account").fetchall() == [(45,)]


def test_a_power_safe_change_stays_so_when_it_first_books_the_log_of_a_dead_worker(
    file: Path,
) -> None:
    """The log has beginnings alone, which need not survive a power cut."""
    with connection(file) as database:
        killed_alone(file, 0, 45)
        with database.transaction(accounts=True):
            assert database.execute("PRAGMA synchronous").fetchone() == (FULL,)
        with database.transaction(power_safe=False, accounts=True):
            assert database.execute("PRAGMA synchronous").fetchone() == (NORMAL,)


def test_whoever_opens_the_store_sees_what_a_killed_worker_had_answered(file: Path) -> None:
    open_store(file).close()
    killed_alone(file, 10, 45)
    assert booked(file, "SELECT id FROM call") == []
    assert rows(file, "SELECT id FROM call") == [("dead0.1",)]
    assert rows(file, "SELECT id FROM attempt") == [("dead1.1",)]


def test_two_who_sweep_at_once_take_no_call_that_has_ended_for_an_orphan(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection(file) as one, connection(file) as other:
        killed_alone(file, 10, 45)
        swept: list[orphans.Sweep] = []

        def overtaken(database: Database, worker_id: int) -> None:
            if database is one:
                swept.append(orphans.sweep(other, now=AT))
            bring_in_log(database, worker_id)

        monkeypatch.setattr("tokonomi.storage.orphans.bring_in_log", overtaken)
        swept.append(orphans.sweep(one, now=AT))
    assert [it.id for each in swept for it in each.orphans] == ["dead1.1"]
    assert rows(file, "SELECT id, status FROM call") == [
        ("dead0.1", "ok"),
        ("dead1.1", "orphaned"),
    ]
    assert_balanced(file)


def test_another_worker_that_asks_is_let_in(file: Path) -> None:
    async def test() -> None:
        one, other = await opened(file), await opened(file)
        for turn, recorder in enumerate((one, other, one, other)):
            for number in range(3):
                name = intent(f"{turn}-{number}")
                held_by(await recorder.begin(name, on_budget(5), alone=True))
        refused = await one.begin(intent("last"), on_budget(41), alone=True)
        assert isinstance(refused, Refusal)
        assert (refused.available, refused.reserved) == (40, 60)
        await one.close()
        await other.close()

    run(test())
    assert_balanced(file)


def test_a_worker_that_can_open_no_file_to_ask_goes_on_when_it_can_again(file: Path) -> None:
    async def test() -> None:
        one, other = await opened(file), await opened(file)
        held_by(await one.begin(intent("a"), on_budget(5), alone=True))
        with no_more_files():
            begun = asyncio.ensure_future(other.begin(intent("b"), on_budget(5)))
            await asyncio.wait([begun], timeout=0.2)
        outcome = (await asyncio.gather(begun, return_exceptions=True))[0]
        assert isinstance(outcome, (tuple, StoreError))
        held_by(await other.begin(intent("c"), on_budget(5)))
        await one.close()
        await other.close()

    run(test())


@contextmanager
def no_more_files() -> Generator[None]:
    """This process can open no file more: it has as many as it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull, "rb") as last:  # noqa: PTH123 - its number is all that counts
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
