"""Lone calls when the disk, the log, the store or a row fails them: none is lost, none doubled."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from recorded_calls import (
    ALL_BOOKED,
    AT,
    FREE,
    SLOW_FLUSH_SECONDS,
    alone,
    assert_balanced,
    attempts,
    booked,
    call,
    full_disk,
    held_by,
    intent,
    is_in_log_alone,
    on_budget,
    opened,
    rows,
    run,
    settled,
    until,
    used,
)

from tokonomi.calls import Call, Intent
from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Held, Part, capture
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Begun, Record, Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.log_recovery import identity_of, write_log
from tokonomi.storage.recorder import Limits, Recorder
from tokonomi.storage.sqlite import SqliteDatabase
from tokonomi.storage.worker_log import HALF_BYTES, WorkerLog

pytestmark = pytest.mark.usefixtures("patience_with_the_disk")


def unbookable(of: Intent) -> Call:
    """An end that a log can have, and no row."""
    return replace(call(of), duration_ms=2**63)


def test_a_flush_that_fails_has_the_call_written_once_by_a_transaction(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", _refuses)
            await recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        assert booked(file, "SELECT id FROM call") == [("a.1",)]
        assert booked(file, FREE) == [(90,)]
        await recorder.close()

    run(test())
    assert_balanced(file)


def _refuses(descriptor: int) -> None:
    raise OSError(5, "Input/output error", descriptor)


def test_after_a_flush_that_held_the_loop_up_the_next_calls_go_to_the_writer(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        loop = asyncio.get_running_loop()
        began = await recorder.begin(intent("a"), on_budget(30), alone=True)
        ended = recorder.settle(call(intent("a")), used(began, 10), alone=True)
        clock, passed = loop.time, iter([0.0])
        monkeypatch.setattr(loop, "time", lambda: clock() + next(passed, 2 * SLOW_FLUSH_SECONDS))
        await ended
        monkeypatch.setattr(loop, "time", clock)
        begun = asyncio.ensure_future(recorder.begin(intent("b"), on_budget(30), alone=True))
        assert not begun.done()
        held_by(await begun)
        assert not is_in_log_alone(file, "b")
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_row_that_no_log_can_have_fails_alone_as_it_does_among_others(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with pytest.raises(StoreError, match="refuses the row of call a"):
            await recorder.settle(call(intent("a"), note="\ud800"), used(begun, 10), alone=True)
        held_by(await recorder.begin(intent("b"), on_budget(30), alone=True))
        assert (attempts(file), settled(file)) == (["a.1", "b.1", "first.1"], [])
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_beginning_that_no_log_can_have_fails_alone(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        with pytest.raises(StoreError, match="refuses the row of call"):
            await recorder.begin(replace(intent("a"), model="\ud800"), on_budget(30), alone=True)
        held_by(await recorder.begin(intent("b"), on_budget(100), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_record_that_the_schema_refuses_is_told_and_does_not_keep_others_out(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its call stays in flight, and is an orphan once its worker has ended."""

    async def test() -> None:
        recorder = await alone(file)
        for name in ("a", "b", "c"):
            begun = await recorder.begin(intent(name), on_budget(30), alone=True)
            ends = unbookable(intent(name)) if name == "b" else call(intent(name))
            await recorder.settle(ends, used(begun, 10), alone=True)
        await until(lambda: booked(file, ALL_BOOKED) == [(2,)])
        await recorder.close()

    run(test())
    assert "the store refuses record" in caplog.text
    assert (attempts(file), settled(file)) == (["b.1", "first.1"], ["a.1", "c.1"])
    assert_balanced(file)


def test_a_refused_record_on_a_store_that_others_keep_busy_does_not_end_the_writer(
    file: Path,
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        with closing(open_store(file)) as other:
            busy = _BusyOnceTold(lambda: other.execute("BEGIN IMMEDIATE"))
            logging.getLogger("tokonomi.store").addHandler(busy)
            for name in ("a", "b", "c"):
                begun = await recorder.begin(intent(name), on_budget(30), alone=True)
                ends = unbookable(intent(name)) if name == "a" else call(intent(name))
                await recorder.settle(ends, used(begun, 10), alone=True)
            await until(lambda: busy.is_told)
            logging.getLogger("tokonomi.store").removeHandler(busy)
            other.execute("ROLLBACK")
        held_by(await recorder.begin(intent("d"), on_budget(30)))
        assert (attempts(file), settled(file)) == (["a.1", "d.1", "first.1"], ["b.1", "c.1"])
        await recorder.close()

    run(test())
    assert_balanced(file)


class _BusyOnceTold(logging.Handler):
    """Takes the store as soon as something is told."""

    def __init__(self, take: Callable[[], object]) -> None:
        super().__init__()
        self._take = take
        self.is_told = False

    def emit(self, record: logging.LogRecord) -> None:
        del record
        if not self.is_told:
            self._take()
            self.is_told = True


def test_calls_go_on_while_others_keep_the_store_and_are_all_booked_then(file: Path) -> None:
    names = [f"{number:02}" for number in range(30)]

    async def test() -> None:
        recorder = await alone(file)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            for name in names:
                begun = await recorder.begin(intent(name), on_budget(50), alone=True)
                await recorder.settle(call(intent(name)), used(begun, 1), alone=True)
                await asyncio.sleep(0)
            assert booked(file, ALL_BOOKED) == [(0,)]
            other.execute("ROLLBACK")
        await until(lambda: booked(file, ALL_BOOKED) == [(len(names),)])
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(70,)]
    assert settled(file) == [f"{name}.1" for name in names]
    assert_balanced(file)


def test_a_log_that_is_full_has_calls_wait_for_the_store_and_loses_none(file: Path) -> None:
    note = "x" * (HALF_BYTES // 5)

    async def test() -> None:
        recorder = await alone(file)
        for number in range(12):
            name = f"{number:02}"
            begun = await recorder.begin(intent(name), on_budget(50), alone=True)
            await recorder.settle(call(intent(name), note=note), used(begun, 1), alone=True)
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(88,)]
    assert settled(file) == [f"{number:02}.1" for number in range(12)]
    assert_balanced(file)


def test_closing_books_what_is_in_the_log(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        ending = recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        await asyncio.gather(recorder.close(), ending)
        assert booked(file, "SELECT id FROM call") == [("a.1",)]
        with closing(open_store(file)) as database, database.transaction(accounts=True):
            """Nobody is alone any more."""

    run(test())
    assert_balanced(file)


def test_what_closing_cannot_book_is_booked_by_whoever_opens_the_store_next(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file, limits=Limits(settle_seconds=0.05))
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = await recorder.begin(intent("b"), on_budget(30), alone=True)
            await recorder.settle(call(intent("b")), used(begun, 10), alone=True)
            await recorder.close()
            other.execute("ROLLBACK")
        assert booked(file, "SELECT id FROM call") == []
        assert (attempts(file), settled(file)) == (["a.1", "first.1"], ["b.1"])

    run(test())
    assert_balanced(file)


def test_on_a_full_disk_that_was_never_alone_before_a_call_is_refused(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        await recorder.begin(intent("first"))
        with full_disk(file), pytest.raises(StoreError, match="cannot be written"):
            await recorder.begin(intent("a"), on_budget(30), alone=True)
        held_by(await recorder.begin(intent("a"), on_budget(30), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_worker_that_cannot_make_its_log_says_so(file: Path) -> None:
    async def test() -> None:
        await (await opened(file)).close()
        with closing(open_store(file)) as database:
            worker = workers.register(database, now=AT)
        with full_disk(file), pytest.raises(StoreError):
            Recorder(file, worker)

    run(test())


def test_records_are_booked_once_whoever_books_them_and_how_often(file: Path) -> None:
    with closing(open_store(file)) as database:
        worker = workers.register(database, now=AT)
        [first] = write_group(database, worker, [Begin(intent("a"), on_budget(30))], at_us=1)
        ends = Settle(call(intent("a")), used(first, 10))
        records = [Record(1, 5, ends), Record(2, 5, Begun(intent("b"), held_by(first)))]
        for _ in range(3):
            write_log(database, worker, records)
        records.append(Record(3, 6, Settle(call(intent("b")), used(first, 7))))
        write_log(database, worker, records)
        write_log(database, worker, records[1:])
        assert only_row(database, FREE) == (83,)
    assert (attempts(file), settled(file)) == ([], ["a.1", "b.1"])
    assert_balanced(file)


@pytest.mark.parametrize("refused", [False, True], ids=["", "and another record is refused"])
def test_an_end_whose_beginning_was_lost_in_a_power_cut_is_captured_in_full(
    file: Path, *, refused: bool
) -> None:
    with closing(open_store(file)) as database:
        assert isinstance(database, SqliteDatabase)
        worker = workers.register(database, now=AT)
        [outcome] = write_group(database, worker, [Begin(intent("z"), on_budget(0))], at_us=1)
        held = Held("budget", held_by(outcome)[0].home, (Part(held_by(outcome)[0].home, 30),))
        log = WorkerLog(database.log_path(worker), identity_of(microseconds(AT)))
        with closing(log):
            for number in range(3):
                bad = refused and number == 0
                ends = (unbookable if bad else call)(intent(f"{number}"))
                assert log.append(Settle(ends, (capture(held, 10),)), 1)
    lost = 1 if refused else 0
    assert settled(file) == [f"{number}.1" for number in range(lost, 3)]
    assert rows(file, "SELECT debits_posted FROM account") == [(30 - 10 * lost,)]
    assert_balanced(file)
