"""What may end a wait: a limit of time, or a client that leaves. No timer per request.

One tick looks at everything that waits. So a limit costs a request two assignments, and is kept to
a quarter of a second, which is what limits of many seconds need. Whether the client is still there
is listened for from the first tick on: most calls are over before it.
"""

import asyncio
from enum import StrEnum
from types import TracebackType
from typing import Final

from tokonomi.gateway.answer import Receive

TICK_SECONDS: Final = 0.25
_NEVER: Final = float("inf")


class Reason(StrEnum):
    """Why a wait was ended."""

    FIRST_BYTE = "first_byte"
    FIRST_TOKEN = "first_token"  # noqa: S105 - a token of a model
    BETWEEN_CHUNKS = "between_chunks"
    TOTAL = "total"
    CLIENT_BODY = "client_body"
    CLIENT_LEFT = "client_left"


class Ended(Exception):
    """A wait was ended before what it waited for came."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


class Watch:
    """The waits of one request, which runs in one task.

    Inside `with watch:` the task may be ended at any `await`, which raises `Ended` out of the
    block; outside of it nothing happens to the task.
    """

    __slots__ = (
        "_clock",
        "_ended",
        "_listening",
        "_open",
        "_reason",
        "_receive",
        "_task",
        "_total_due",
        "due",
        "goes_on",
        "unattended",
    )

    def __init__(self, task: asyncio.Task[object], watchdog: "Watchdog") -> None:
        self._task = task
        self._clock = watchdog.clock
        self._ended: Reason | None = None
        self._open = False
        self._reason = Reason.TOTAL
        self._total_due = _NEVER
        self._receive: Receive | None = None
        self._listening: asyncio.Task[None] | None = None
        self.due = _NEVER
        self.goes_on = False
        """Whether the call is to go on when its client leaves."""
        self.unattended = False
        """Whether the call goes on although its client has left."""

    @property
    def now(self) -> float:
        """Monotonic seconds, on the clock of all limits."""
        return self._clock()

    def listen(self, receive: Receive) -> None:
        """A client that leaves is noticed from now on; it ends the waits unless the call `goes_on`.

        It takes effect with the next tick, so a call that is over by then has no task for it.
        """
        self._receive = receive

    def limit(self, seconds: float, reason: Reason) -> None:
        """The present waits end `seconds` from now, or with the total when that comes first."""
        self.due = self._clock() + seconds
        self._reason = reason
        if self.due > self._total_due:
            self.due, self._reason = self._total_due, Reason.TOTAL

    def wait_for_client(self) -> None:
        """The present waits are the client's: until the next limit only the total ends them.

        How long a client may block an answer is the connection's to limit.
        """
        self.due, self._reason = self._total_due, Reason.TOTAL

    def limit_total(self, seconds: float) -> None:
        """All waits together end `seconds` from now."""
        self._total_due = self._clock() + seconds

    def begin_anew(self) -> None:
        """A limit that ended the waits for one target does not end those for the next.

        Nor does a call go on without its client because the last target would have.
        """
        self.goes_on = False
        if self._ended is not Reason.CLIENT_LEFT:
            self._ended = None

    def end(self, reason: Reason) -> None:
        """Ends what is being waited for, and every later wait."""
        if self._ended is None:
            self._ended = reason
            if self._open:
                self._task.cancel()

    def tick(self, now: float) -> None:
        """Ends what is being waited for when its time is over, and begins to listen."""
        if self._open and self.due <= now:
            self.end(self._reason)
        if self._receive is not None:
            listening = self._until_client_leaves(self._receive)
            self._listening = asyncio.get_running_loop().create_task(listening)
            self._receive = None

    def close(self) -> None:
        """Nobody listens any more."""
        self._receive = None
        if self._listening is not None:
            self._listening.cancel()

    async def _until_client_leaves(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if self.goes_on:
            self.unattended = True
        else:
            self.end(Reason.CLIENT_LEFT)

    def __enter__(self) -> None:
        if self._ended is not None:
            raise Ended(self._ended)
        self._open = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._open = False
        # `end` runs in a callback of the loop, so the task is then suspended inside the block, and
        # the cancellation comes out at that very `await`.
        if self._ended is not None and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise Ended(self._ended) from None


class Watchdog:
    """Looks at all watches a few times a second."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watches: set[Watch] = set()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self.clock = self._loop.time

    def watch(self) -> Watch:
        """A watch over the present task; give it back with `release`."""
        task = asyncio.current_task()
        assert task is not None, "a request runs in a task"
        watch = Watch(task, self)
        self._watches.add(watch)
        return watch

    def release(self, watch: Watch) -> None:
        """The watch is no longer looked at."""
        self._watches.discard(watch)
        watch.close()

    def close(self) -> None:
        """Ends the ticking."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self.clock()
        for watch in [*self._watches]:
            watch.tick(now)
