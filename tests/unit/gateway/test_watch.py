"""What may end a wait, and that nothing else is ended."""

import asyncio
from collections.abc import Coroutine

import pytest

from tokonomi.gateway.answer import Message
from tokonomi.gateway.watch import Ended, Reason, Watch, Watchdog


def run(test: Coroutine[object, object, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test

    asyncio.run(bounded())


def ending(watch: Watch, reason: Reason) -> None:
    asyncio.get_running_loop().call_soon(watch.end, reason)


def test_a_wait_ends_when_its_time_is_over() -> None:
    async def test() -> None:
        watch = Watchdog().watch()
        watch.limit(0.01, Reason.FIRST_BYTE)
        with pytest.raises(Ended) as ended, watch:
            await asyncio.Event().wait()
        assert ended.value.reason is Reason.FIRST_BYTE

    run(test())


def test_the_total_ends_a_wait_that_its_own_limit_would_not() -> None:
    async def test() -> None:
        watch = Watchdog().watch()
        watch.limit_total(0.01)
        watch.limit(60, Reason.BETWEEN_CHUNKS)
        with pytest.raises(Ended) as ended, watch:
            await asyncio.Event().wait()
        assert ended.value.reason is Reason.TOTAL

    run(test())


def test_what_ends_outside_of_a_wait_ends_the_next_one() -> None:
    async def test() -> None:
        watch = Watchdog().watch()
        ending(watch, Reason.CLIENT_LEFT)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(Ended) as ended, watch:
            raise AssertionError
        assert ended.value.reason is Reason.CLIENT_LEFT

    run(test())


def test_after_an_ended_wait_the_task_goes_on_undisturbed() -> None:
    async def test() -> None:
        watch = Watchdog().watch()
        ending(watch, Reason.CLIENT_LEFT)
        with pytest.raises(Ended), watch:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(test())


def test_a_wait_that_is_done_at_the_moment_of_its_end_is_ended_all_the_same() -> None:
    async def test() -> None:
        watch = Watchdog().watch()
        came = asyncio.get_running_loop().create_future()

        def both() -> None:
            came.set_result(None)
            watch.end(Reason.CLIENT_LEFT)

        asyncio.get_running_loop().call_soon(both)
        with pytest.raises(Ended), watch:
            await came
        await asyncio.sleep(0)

    run(test())


def test_a_cancellation_by_somebody_else_stays_one() -> None:
    async def waiting(watchdog: Watchdog) -> None:
        with watchdog.watch():
            await asyncio.Event().wait()

    async def test() -> None:
        task = asyncio.create_task(waiting(Watchdog()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test())


def test_a_watch_that_was_given_back_is_not_looked_at() -> None:
    async def test() -> None:
        watchdog = Watchdog()
        watch, other = watchdog.watch(), watchdog.watch()
        watchdog.release(watch)
        watch.limit(0.0, Reason.FIRST_BYTE)
        other.limit(0.3, Reason.TOTAL)
        with pytest.raises(Ended) as ended, watch, other:
            await asyncio.Event().wait()
        assert ended.value.reason is Reason.TOTAL
        watchdog.close()

    run(test())


class Client:
    """What an ASGI server tells of a client: nothing, until it leaves."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.listened = asyncio.Event()
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        self.listened.set()
        await self.leaves.wait()
        return {"type": "http.disconnect"}


def test_a_client_that_leaves_ends_the_wait() -> None:
    async def test() -> None:
        client = Client()
        watch = Watchdog().watch()
        watch.listen(client.receive)
        client.leaves.set()
        with pytest.raises(Ended) as ended, watch:
            await asyncio.Event().wait()
        assert ended.value.reason is Reason.CLIENT_LEFT
        assert not watch.unattended

    run(test())


def test_a_call_that_goes_on_without_its_client_is_told_and_not_ended() -> None:
    async def test() -> None:
        client = Client()
        watch = Watchdog().watch()
        watch.goes_on = True
        watch.listen(client.receive)
        with watch:
            await client.listened.wait()
            assert not watch.unattended
            client.leaves.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert watch.unattended

    run(test())


def test_nobody_listens_to_a_client_whose_call_is_over_before_the_first_tick() -> None:
    async def test() -> None:
        short, long = Client(), Client()
        watchdog = Watchdog()
        over, watch = watchdog.watch(), watchdog.watch()
        over.listen(short.receive)
        watch.listen(long.receive)
        watchdog.release(over)
        await long.listened.wait()
        assert (short.asked, long.asked) == (0, 1)
        watchdog.release(watch)
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert {task for task in others if "until_client_leaves" in repr(task)} == set()

    run(test())
