"""A gateway that kills itself at a named point of a batch's life: `crashing_batches.py POINT NTH`.

Nothing in the product knows of this: the points are put around its own functions, here.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crashing_gateway import Countdown

from tokonomi.gateway import config, server
from tokonomi.gateway.batches import remote, work
from tokonomi.storage import batch_holds

POINTS = (
    "H1 before holds are committed",
    "H2 after holds are committed",
    "U1 before the file is sent",
    "U2 after the file was sent, before its id is written",
    "C1 after it is written that the provider is asked, before it is",
    "C2 after the provider has begun, before that is written",
    "S1 before lines are settled",
    "S2 after lines are settled",
    "E1 before the results are there",
    "E2 after the results are there",
)


def around(place: Any, name: str, countdown: Countdown, *, before: bool) -> None:
    """Puts a point before or behind a function of a module."""
    real: Callable[..., Any] = getattr(place, name)

    def with_point(*arguments: Any, **options: Any) -> Any:
        if before:
            countdown.reached()
        outcome = real(*arguments, **options)
        if not before:
            countdown.reached()
        return outcome

    setattr(place, name, with_point)


def around_call(name: str, countdown: Countdown, *, before: bool) -> None:
    """Puts a point before or behind what is asked of the provider."""
    real: Callable[..., Any] = getattr(remote.Remote, name)

    async def with_point(*arguments: Any, **options: Any) -> Any:
        if before:
            countdown.reached()
        outcome = await real(*arguments, **options)
        if not before:
            countdown.reached()
        return outcome

    setattr(remote.Remote, name, with_point)


def main(point: str, nth: int) -> None:
    countdown, before = Countdown(nth), point.endswith("1")
    match point[0]:
        case "H":
            around(batch_holds, "_hold_some", countdown, before=before)
        case "U":
            around_call("upload", countdown, before=before)
        case "C":
            around_call("create", countdown, before=before)
        case "S":
            around(batch_holds, "write_group", countdown, before=before)
        case _:
            around(work, "end_batch", countdown, before=before)
    server.run(config.load(Path("tokonomi.toml")), announce=_say)


def _say(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
