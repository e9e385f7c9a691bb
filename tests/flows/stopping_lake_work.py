"""A process that works on a lake and dies, as by `kill -9`, after a given number of steps.

Arguments: the work ("export" or "compact"), the store's path or DSN, the lake's folder, the steps
until its death.
It exits with 0 when the work ended first, else with 9.
"""

import os
import sys
from pathlib import Path

from tokonomi.storage.compaction import compact
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export


class Death:
    """Ends the process, without any clean-up, when it has been told of enough steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, _: str) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(9)


def main(work: str, store: str, lake: Path, steps: int) -> None:
    """Nothing: the work is done, or the process is dead."""
    connection = open_store(store)
    if work == "export":
        export(connection, lake, chunk_rows=4, on_step=Death(steps))
    else:
        compact(connection, lake, now_us=0, on_step=Death(steps))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
