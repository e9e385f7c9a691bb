"""Bodies and answers that are nearly right, over real sockets, against one gateway.

No 500, no hang, no call left in flight, nothing held, no defect in the log, no growing memory.
TOKONOMI_FUZZ_EXAMPLES=100000 tries so many, half of each kind.
"""

import http.client
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from fake_provider import EMBEDDING_USAGE, Answer, FakeProvider, Hangup, Received, whole
from gateway_process import GatewayProcess
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import HELLO, PATHS, RIGHT, UPSTREAMS, Sent, Upstream, bodies
from prepaid import books_when_quiet

EXAMPLES: Final = int(os.environ.get("TOKONOMI_FUZZ_EXAMPLES", "600"))
SECONDS: Final = 60
"""Longer than the gateway waits for anything: 2 for a provider, 10 and 30 for its store."""
MODELS: Final = ["a-chat", "a-claude", "a-gemini"]
GROWTH_KIB: Final = 96 * 1024
"""What the process may grow by, however many calls there are: its caches have limits."""
CONFIGURATION: Final = """
[store]
path = "tokonomi.db"

[listen]
port = 0

[observe]
access_log = false

[providers.openai]
base_url = "{url}"
allow_private = true
also = ["responses"]
timeouts = {{ first_byte = 2, between_chunks = 2 }}

[providers.anthropic]
base_url = "{url}"
allow_private = true
dialect = "anthropic"
timeouts = {{ first_byte = 2, between_chunks = 2 }}

[providers.google]
base_url = "{url}"
allow_private = true
dialect = "gemini"
timeouts = {{ first_byte = 2, between_chunks = 2 }}

[models.a-chat]
provider = "openai"
model = "gpt-4o-mini"

[models.text-embedding-3-small]
provider = "openai"

[models.a-claude]
provider = "anthropic"
model = "claude-sonnet-4-5"

[models.a-gemini]
provider = "google"
model = "gemini-2.5-flash"

[[budget]]
id = "each"
window = "lifetime"
currency = "USD"
amount = "1000"
each = ["user"]
"""


@dataclass
class Fuzzed:
    """The gateway, and the provider whose next answers are said beforehand."""

    gateway: GatewayProcess
    provider: FakeProvider
    key: str
    upstream: Upstream = RIGHT

    async def answer(self, request: Received) -> Answer:
        if request.path.endswith("/embeddings"):
            vectors = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            yield whole(200, json.dumps({"data": vectors, "usage": EMBEDDING_USAGE}).encode())
            return
        dialect = next((name for name, path in PATHS.items() if request.path == path), "gemini")
        for part in self.upstream.answer(dialect, stream=is_stream(request)):
            yield part
        if not self.upstream.ends:
            raise Hangup

    def ask(self, sent: Sent, user: str) -> int:
        """The status of the gateway's answer, when all of it has come."""
        address = self.gateway.url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=SECONDS)
        headers = {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            "x-tokonomi-user": user,
        }
        try:
            connection.request("POST", sent.path, sent.body, headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        assert answer.status != 500, said
        assert b"store_unavailable" not in said
        return answer.status

    def memory_kib(self) -> int:
        """What the gateway's process has in memory."""
        status = Path(f"/proc/{self.gateway.process.pid}/status").read_text(encoding="ascii")
        [line] = [each for each in status.splitlines() if each.startswith("VmRSS:")]
        return int(line.split()[1])

    def nothing_is_left(self, memory_kib: int) -> None:
        books = books_when_quiet(self.gateway.store)
        assert (books.held, books.imbalances) == (0, ())
        assert "Traceback" not in self.gateway.log
        assert "is recorded without a cost" not in self.gateway.log
        assert self.memory_kib() - memory_kib < GROWTH_KIB


def is_stream(request: Received) -> bool:
    if "streamGenerateContent" in request.path:
        return True
    try:
        return request.fields.get("stream") is True
    except (ValueError, RecursionError):
        return False


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    provider = FakeProvider()
    provider.start()
    text = CONFIGURATION.format(url=provider.base_url)
    gateway = GatewayProcess(tmp_path_factory.mktemp("fuzzed") / "gateway", text)
    gateway.start()
    key, _ = gateway.make_key()
    found = Fuzzed(gateway, provider, key)
    provider.always = found.answer
    for path, model in ((path, model) for path in PATHS for model in MODELS):
        assert found.ask(said(path, model, stream=False), "first") == 200
        assert found.ask(said(path, model, stream=True), "first") == 200
    yield found
    gateway.stop()
    provider.stop()


def said(dialect: str, model: str, *, stream: bool) -> Sent:
    """A right request."""
    body = {**HELLO[dialect], "model": model, "stream": stream}
    return Sent(PATHS[dialect], json.dumps(body).encode())


TRYING: Final = settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
USERS: Final = count(1)
"""Each example has a budget of its own, so that none is refused for what another one was billed."""


def test_no_body_is_answered_500_or_leaves_something_behind(fuzzed: Fuzzed) -> None:
    before, statuses = fuzzed.memory_kib(), Counter[int]()
    fuzzed.upstream = RIGHT

    @TRYING
    @given(bodies(MODELS))
    def ask(sent: Sent) -> None:
        statuses[fuzzed.ask(sent, f"body-{next(USERS)}")] += 1

    ask()
    assert {200, 400} <= {*statuses}
    fuzzed.nothing_is_left(before)


def test_no_answer_of_a_provider_hangs_a_call_or_leaves_something_behind(fuzzed: Fuzzed) -> None:
    before, statuses = fuzzed.memory_kib(), Counter[int]()

    @TRYING
    @given(
        upstream=UPSTREAMS,
        dialect=st.sampled_from([*PATHS]),
        model=st.sampled_from(MODELS),
        stream=st.booleans(),
    )
    def ask(upstream: Upstream, dialect: str, model: str, *, stream: bool) -> None:
        fuzzed.upstream = upstream
        statuses[fuzzed.ask(said(dialect, model, stream=stream), f"answer-{next(USERS)}")] += 1

    ask()
    assert {200, 502} <= {*statuses}
    fuzzed.nothing_is_left(before)
