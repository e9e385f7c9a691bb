"""The recorder on a real store: what is durable when, and what a failing store does to callers."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from recorded_calls import AT, attempts, call, full_disk, intent, opened, rows, run, settled

from tokonomi.errors import StoreError
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.recorder import Limits

NORMAL, FULL = 1, 2


def test_an_attempt_is_in_the_store_before_the_call_may_leave(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        await recorder.begin(intent("a"))
        assert attempts(store) == ["a.1"]
        await recorder.close()

    run(test())


def test_settling_writes_the_row_and_takes_the_attempt_away(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        await recorder.begin(intent("a"))
        await recorder.settle(call(intent("a")))
        assert (attempts(store), settled(store)) == ([], ["a.1"])
        await recorder.close()

    run(test())


def test_a_call_settled_twice_keeps_its_first_row(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        await recorder.settle(call(intent("a"), output=7))
        await recorder.settle(call(intent("a"), output=9))
        assert rows(store, "SELECT output FROM call") == [(7,)]
        await recorder.close()

    run(test())


def test_only_a_group_with_a_settled_call_is_flushed_to_the_disk_of_sqlite(file: Path) -> None:
    with closing(open_store(file)) as database:
        worker = workers.register(database, now=AT)
        levels: list[int] = []
        for name in "abc":
            ends = [Settle(call(intent(name))), Begin(intent(f"{name}2"))]
            for group in ([Begin(intent(name))], ends):
                write_group(database, worker, group, at_us=1)
                levels.append(only_row(database, "PRAGMA synchronous")[0])
    assert levels == [NORMAL, FULL] * 3


def test_what_waits_together_is_written_whole_whatever_its_mix(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        names = [f"{number:03}" for number in range(300)]
        await asyncio.gather(*(recorder.begin(intent(name)) for name in names))
        odd = [call(intent(name)) for name in names[1::2]]
        await asyncio.gather(*(recorder.settle(each) for each in odd))
        assert attempts(store) == [f"{name}.1" for name in names[::2]]
        assert settled(store) == [each.intent.id for each in odd]
        await recorder.close()

    run(test())


def test_a_row_that_cannot_be_written_fails_alone(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        bad = [call(intent("b", attempt="first")), call(intent("c"), note="\ud800")]
        outcomes = await asyncio.gather(
            recorder.settle(call(intent("a"))),
            *(recorder.settle(each) for each in bad),
            recorder.settle(call(intent("d"))),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [tuple, StoreError, StoreError, tuple]
        assert settled(store) == ["a.1", "d.1"]
        await recorder.close()

    run(test())


def test_a_file_that_another_process_keeps_busy_is_waited_for(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(recorder.begin(intent("a")))
            settling = asyncio.ensure_future(recorder.settle(call(intent("b"))))
            done, _ = await asyncio.wait([waiting, settling], timeout=0.1)
            assert done == set()
            other.execute("ROLLBACK")
        await asyncio.gather(waiting, settling)
        assert (attempts(file), settled(file)) == (["a.1"], ["b.1"])
        await recorder.close()

    run(test())


def test_a_file_that_stays_busy_too_long_refuses_the_call(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file, Limits(begin_seconds=0.05, settle_seconds=0.05))
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="database is locked"):
                await recorder.begin(intent("a"))
            with pytest.raises(StoreError, match="database is locked"):
                await recorder.settle(call(intent("b")))
            other.execute("ROLLBACK")
        await recorder.begin(intent("c"))
        assert (attempts(file), settled(file)) == (["c.1"], [])
        await recorder.close()

    run(test())


def test_a_full_disk_refuses_new_calls_at_once_and_keeps_trying_to_settle(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        await recorder.begin(intent("a"))
        with full_disk(file):
            settling = asyncio.ensure_future(recorder.settle(call(intent("a"))))
            with pytest.raises(StoreError, match="cannot be written"):
                await recorder.begin(intent("b"))
            assert recorder.failure is not None
            assert not settling.done()
        await settling
        assert recorder.failure is None
        assert (attempts(file), settled(file)) == ([], ["a.1"])
        await recorder.close()

    run(test())


def test_what_could_not_be_written_at_once_is_written_once_by_the_writer(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        await recorder.begin(intent("a"), alone=True)
        with full_disk(file):
            settling = asyncio.ensure_future(recorder.settle(call(intent("a")), alone=True))
            with pytest.raises(StoreError, match="cannot be written"):
                await recorder.begin(intent("b"), alone=True)
            assert (attempts(file), settled(file)) == (["a.1"], [])
        await settling
        await recorder.begin(intent("b"), alone=True)
        assert (attempts(file), settled(file)) == (["b.1"], ["a.1"])
        await recorder.close()

    run(test())


def test_a_call_that_a_full_disk_refused_stays_an_attempt(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file, Limits(settle_seconds=0.2))
        await recorder.begin(intent("a"))
        with full_disk(file), pytest.raises(StoreError, match="cannot be written"):
            await recorder.settle(call(intent("a")))
        assert (attempts(file), settled(file)) == (["a.1"], [])
        await recorder.close()

    run(test())


def test_a_call_that_a_full_disk_refused_is_settled_later_however_long_that_takes(
    file: Path,
) -> None:
    async def test() -> None:
        recorder = await opened(file, Limits(settle_seconds=0.1))
        await recorder.begin(intent("a"))
        with full_disk(file):
            with pytest.raises(StoreError, match="cannot be written"):
                await recorder.settle(call(intent("a")))
            owed = asyncio.ensure_future(recorder.settle(call(intent("a")), however_long=True))
            done, _ = await asyncio.wait([owed], timeout=0.3)
            assert done == set()
        await owed
        assert (attempts(file), settled(file)) == ([], ["a.1"])
        await recorder.close()

    run(test())


def test_closing_does_not_wait_for_ever_for_a_full_disk(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file, Limits(settle_seconds=0.1))
        await recorder.begin(intent("a"))
        with full_disk(file):
            owed = asyncio.ensure_future(recorder.settle(call(intent("a")), however_long=True))
            await asyncio.wait([owed], timeout=0.01)
            await recorder.close()
        with pytest.raises(StoreError, match="cannot be written"):
            await owed
        assert (attempts(file), settled(file)) == (["a.1"], [])

    run(test())


def test_closing_writes_what_waits_and_takes_nothing_more(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store)
        waiting = [recorder.settle(call(intent(f"{number:03}"))) for number in range(50)]
        await recorder.close()
        await recorder.close()
        await asyncio.gather(*waiting)
        assert len(settled(store)) == 50
        with pytest.raises(StoreError, match="the recorder is closed"):
            await recorder.begin(intent("late"))

    run(test())


def test_intents_beyond_the_limit_wait_for_room_and_are_all_written(store: Path | str) -> None:
    async def test() -> None:
        recorder = await opened(store, Limits(waiting=2))
        names = [f"{number:02}" for number in range(40)]
        await asyncio.gather(*(recorder.begin(intent(name)) for name in names))
        assert attempts(store) == [f"{name}.1" for name in names]
        await recorder.close()

    run(test())


def test_a_call_is_not_written_at_once_while_the_writer_has_the_connection(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            held_up = asyncio.ensure_future(recorder.begin(intent("a")))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
            alone = asyncio.ensure_future(recorder.begin(intent("b"), alone=True))
            assert not alone.done()
        await asyncio.gather(held_up, alone)
        assert attempts(file) == ["a.1", "b.1"]
        await recorder.close()

    run(test())
