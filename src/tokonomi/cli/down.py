"""`tokonomi down`: stop what `tokonomi up` started."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from tokonomi.cli.demo import DemoFolder
from tokonomi.errors import StartError

STOP_SECONDS: Final = 40
POLL_SECONDS: Final = 0.05


def down(*, data: Path = Path("var")) -> int:
    """Stop what `tokonomi up` started in this folder; calls in flight are finished first.

    Args:
        data: the folder that was given to `tokonomi up`.
    """
    out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    folder = DemoFolder(data)
    running = folder.running()
    if running is None:
        out.print(f"Nothing is running in {folder.path}.")
        return 0
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while folder.running() is not None:
        if time.monotonic() > deadline:
            raise StartError(
                f"process {running.pid} has not ended within {STOP_SECONDS} seconds",
                remedy=f"Its log is {folder.log}. To end it at once: kill -9 {running.pid}",
            )
        time.sleep(POLL_SECONDS)
    out.print(f"Stopped. What was recorded stays in {folder.store}.")
    return 0
