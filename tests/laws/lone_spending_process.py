"""A worker whose calls are alone in flight: `lone_spending_process.py STORE NAME CALLS [dies]`.

It says when it is ready, begins when it is told to, and prints the id of each call that it has
answered. With `dies` it kills itself when it has begun its last call.
"""

import asyncio
import os
import signal
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ended_calls import ended_call

from tokonomi.calls import Dimensions, Intent
from tokonomi.ledger.hold import Refusal, capture
from tokonomi.storage import recorder as recorder_module
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.recorder import Recorder

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
LIMIT: Final = 5_000
CLAIMS: Final = (
    Claim("budget", 30, Funding("budget shared", "USD", LIMIT)),
    Claim("wallet ani", 30, "ani"),
)


async def main(store: Path, name: str, calls: int, *, dies: bool) -> None:
    """Spends until it is refused, or has made all its calls."""
    # Workers take the accounts from each other as often as they can.
    setattr(recorder_module, "_SHARED_SECONDS", 0.0)  # noqa: B010
    with closing(open_store(store)) as database:
        worker = workers.register(database, now=NOW)
        recorder = Recorder(store, worker)
        _say("ready")
        sys.stdin.readline()
        for number in range(calls):
            intent = Intent(id=f"{name}-{number}.1", at=NOW, dimensions=Dimensions(), model="m")
            outcome = await recorder.begin(intent, CLAIMS, alone=True)
            if dies and number == calls - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if isinstance(outcome, Refusal):
                break
            captured = tuple(capture(held, 5 + number % 23) for held in outcome)
            await recorder.settle(ended_call(intent), captured, alone=number % 7 > 0)
            _say(intent.id)
        await recorder.close()
        workers.retire(database, worker, now=NOW)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), dies=len(sys.argv) > 4))
