"""A gateway that kills itself at a named point of a call's life: `crashing_gateway.py POINT NTH`.

Nothing in the product knows of this: the points are put around its own functions, here.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokonomi.gateway import config, server, stream
from tokonomi.storage import call_groups, group_writer
from tokonomi.storage.call_groups import Begin

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
