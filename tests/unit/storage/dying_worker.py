"""A worker that decides on calls alone, and is killed before the store has what it decided.

`dying_worker.py STORE AMOUNT...`: one call on the hard budget for each amount. The first takes the
accounts, the others are only in the worker's log when the process kills itself.
"""

import asyncio
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from recorded_calls import AT, call, held_by, intent, on_budget, used

from tokonomi.storage import recorder as recorder_module
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.recorder import Recorder


async def main(store: Path, amounts: list[int]) -> None:
    """Ends the first call, so that its end is in the log too, and dies in the same turn."""
    # A disk that is slow because others use it decides nothing here.
    setattr(recorder_module, "_SLOW_FLUSH_SECONDS", 60.0)  # noqa: B010 - of another room
    with closing(open_store(store)) as database:
        worker = workers.register(database, now=AT)
        recorder = Recorder(store, worker)
        first = await recorder.begin(intent("dead0"), on_budget(amounts[0]), alone=True)
        for number, amount in enumerate(amounts[1:], 1):
            begun = recorder.begin(intent(f"dead{number}"), on_budget(amount), alone=True)
            held_by(await begun)
        if amounts[0]:
            await recorder.settle(call(intent("dead0")), used(first, amounts[0]), alone=True)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]]))
