"""A gateway that kills itself at a named point of a call's life: `crashing_gateway.py POINT NTH`.

Nothing in the product knows of this: the points are put around its own functions, here.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokonomi.gateway import config, server, stream
from tokonomi.storage import call_groups, group_writer, recorder
from tokonomi.storage.call_groups import Begin
from tokonomi.storage.lone_calls import LoneCalls
from tokonomi.storage.sole_use import SoleUse

POINTS = (
    "C1 before the authorisation is committed",
    "C2 after the authorisation is committed",
    "C3 when the request was sent",
    "C4 at the first token",
    "C5 in the middle of the stream",
    "C6 after the last token, before the usage",
    "C7 before the capture is committed",
    "C8 after the capture is committed",
)
LONE_POINTS = (
    "L1 after the beginning is in the log",
    "L2 after the end is in the log, before it is flushed",
    "L3 after the end is flushed, before it is booked",
    "L4 before the booking of the log is committed",
    "L5 after the booking of the log is committed",
    "L6 after others may change accounts again",
)
"""Of a call that is alone in flight."""


class Countdown:
    """Kills this process the nth time that it is reached."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def reached(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def around_groups(countdown: Countdown, point: str) -> None:
    written = call_groups.write_group
    begins, before = point in ("C1", "C2"), point in ("C1", "C7")

    def write_group(*arguments: Any, **options: Any) -> Any:
        group: Sequence[object] = arguments[2]
        meant = any(isinstance(it, Begin) is begins for it in group)
        if meant and before:
            countdown.reached()
        outcomes = written(*arguments, **options)
        if meant and not before:
            countdown.reached()
        return outcomes

    # The writer holds a reference of its own to the function.
    setattr(group_writer, "write_group", write_group)  # noqa: B010


class Ran(NamedTuple):
    """How a function was called, and what came of it."""

    arguments: Sequence[Any]
    options: Mapping[str, Any]
    outcome: Any


def after(place: Any, name: str, countdown: Countdown, counts: Callable[[Ran], object]) -> None:
    """Puts a point behind a function, which counts where `counts` says so."""
    real: Callable[..., Any] = getattr(place, name)

    def with_point(*arguments: Any, **options: Any) -> Any:
        outcome = real(*arguments, **options)
        if counts(Ran(arguments, options, outcome)):
            countdown.reached()
        return outcome

    setattr(place, name, with_point)


def around_lone_calls(countdown: Countdown, point: str) -> None:
    # A disk that is slow because others use it does not end being alone here.
    setattr(recorder, "_SLOW_FLUSH_SECONDS", 60.0)  # noqa: B010
    match point:
        case "L1":
            after(LoneCalls, "begin", countdown, lambda ran: ran.outcome is not None)
        case "L2":
            after(LoneCalls, "settle", countdown, lambda ran: ran.outcome)
        case "L3":
            after(LoneCalls, "flush", countdown, lambda ran: ran.outcome)
        case "L4":
            after(call_groups, "_taken_from", countdown, lambda ran: ran.arguments[0])
        case "L5":
            after(group_writer, "write_group", countdown, lambda ran: ran.options["log"])
        case _:
            after(SoleUse, "let_go", countdown, lambda _: True)


def around_streams(countdown: Countdown, meant: Callable[[int, bytes], bool]) -> None:
    feed = stream.StreamRelay.feed
    pieces: dict[int, int] = {}

    def counted(self: stream.StreamRelay, piece: bytes) -> bytes:
        pieces[id(self)] = pieces.get(id(self), 0) + 1
        if meant(pieces[id(self)], piece):
            countdown.reached()
        return feed(self, piece)

    stream.StreamRelay.feed = counted


def main(point: str, nth: int) -> None:
    countdown = Countdown(nth)
    match point:
        case "C1" | "C2" | "C7" | "C8":
            around_groups(countdown, point)
        case "L1" | "L2" | "L3" | "L4" | "L5" | "L6":
            around_lone_calls(countdown, point)
        case "C4":
            around_streams(countdown, lambda number, _: number == 1)
        case "C5":
            around_streams(countdown, lambda number, _: number == 3)
        case "C6":
            around_streams(countdown, lambda _, piece: b'"finish_reason": "stop"' in piece)
        case _:
            pass  # C3 is killed from outside, when the provider has the request.
    server.run(config.load(Path("tokonomi.toml")), announce=_say)


def _say(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
