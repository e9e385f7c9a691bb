"""What tracking adds to a call: from the request to the line in the journal, without a network."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tokonomi import sdk
from tokonomi.sdk.costs import Costs
from tokonomi.sdk.delivery import DELIVERIES
from tokonomi.sdk.dimensions import said
from tokonomi.sdk.meter import Meter
from tokonomi.storage.location import Location
from tokonomi.storage.price_files import load_book

CALLS = 3_000
PAUSE_SECONDS = 0.001
"""Calls to providers take longer, so the thread that writes to the store has its turns between."""
REPLY = (
    b'{"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"message":{"content":"hi"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":7,"total_tokens":28}}'
)


class Url:
    """Where the request goes, as the http clients have it."""

    host = "api.openai.com"
    path = "/v1/chat/completions"


class Request:
    """A request, as the http clients have it."""

    method = "POST"
    url = Url()
    content = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'

    @property
    def headers(self) -> Mapping[str, str]:
        """The one header that is looked at."""
        return {"content-type": "application/json"}


def seconds_of_a_call(meter: Meter) -> float:
    begun = time.perf_counter()
    exchange = meter.begin(Request())
    assert exchange is not None
    exchange.answered(200, {"content-type": "application/json"}, bytes)
    exchange.took(REPLY)
    exchange.took_all()
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        delivery = DELIVERIES.to(Location(Path(folder) / "tokonomi.db"))
        meter = Meter(said(), Costs(), load_book(), delivery)
        times: list[float] = []
        processor = 0.0
        for _ in range(CALLS):
            begun = time.thread_time()
            times.append(seconds_of_a_call(meter))
            processor += time.thread_time() - begun
            time.sleep(PAUSE_SECONDS)
        assert sdk.flush(30)
        delivery.close()
    times.sort()
    for share in (50, 99):
        print(f"p{share}: {times[CALLS * share // 100] * 1e6:.0f} us")
    print(f"processor time of the caller's thread, mean: {processor / CALLS * 1e6:.0f} us")


if __name__ == "__main__":
    main()
