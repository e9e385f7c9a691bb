"""What `tokonomi explain` says of a call, by its stored columns."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.reports.explain import explanation, opened_calls
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location
from tokonomi.storage.price_files import load_book
from tokonomi.storage.recorder import Recorder
from tokonomi.usage import Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


async def recorded(store: Path, usage: Usage) -> None:
    database = open_store(store)
    recorder = Recorder(store, workers.register(database, now=AT))
    intent = Intent(id="a.1", at=AT, dimensions=Dimensions(provider="openai"), model="m")
    await recorder.begin(intent)
    call = Call(
        intent=intent, model_served="m", usage=usage, cost=Unpriced("why"), status=Status.OK
    )
    await recorder.settle(call)
    await recorder.close()
    database.close()


def test_usage_keys_that_are_not_known_are_shown(tmp_path: Path) -> None:
    store = tmp_path / "tokonomi.db"
    asyncio.run(recorded(store, Usage(at=AT, unknown_keys=("dream_tokens", "details.dreams"))))
    [opened] = opened_calls(Location(store), "a.1", load_book())
    assert (
        "Reported but not known here, so not charged: dream_tokens,details.dreams"
        in explanation(opened).splitlines()
    )
