"""The same answer in any dialect, whole, streamed or cut anywhere, has one usage and one cost."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final, Literal

import pytest
from dialect_client import asked
from fake_provider import STREAM_HEAD, Answer, FakeProvider, Received, chunked, whole
from gateway_process import GatewayProcess
from hypothesis import given, settings
from hypothesis import strategies as st
from spoken_answers import CHAT, GEMINI, MESSAGES, RESPONSES, Asking, Json, Wire, written
from test_fault_matrix import EGRESS, PAIRS

Place = Literal["end", "beside", "running", "twice"]
"""Where a stream says its usage: behind the text, on a piece of it, on each piece with counts that
grow, or at the end once more as it was said beside the text."""
PLACES: Final[tuple[Place, ...]] = ("end", "beside", "running", "twice")
RATES: Final = {"input": 150_003, "cache_read": 37_507, "output": 600_011, "reasoning": 700_001}
"""Pico-dollars a token: with them no two ways to count cost the same by chance."""


@dataclass(frozen=True)
class Counts:
    """Tokens of an answer, in disjoint buckets."""

    uncached: int
    cached: int
    text: int
    reasoning: int

    @property
    def cost(self) -> int:
        """Worked out beside the gateway."""
        by_rate = zip(
            RATES.values(), (self.uncached, self.cached, self.text, self.reasoning), strict=True
        )
        return sum(rate * tokens for rate, tokens in by_rate)


def _openai(read: str, made: str) -> Callable[[Counts], Json]:
    return lambda it: {
        f"{read}_tokens": it.uncached + it.cached,
        f"{read}_tokens_details": {"cached_tokens": it.cached},
        f"{made}_tokens": it.text + it.reasoning,
        f"{made}_tokens_details": {"reasoning_tokens": it.reasoning},
        "total_tokens": it.uncached + it.cached + it.text + it.reasoning,
    }


def _messages(it: Counts) -> Json:
    return {
        "input_tokens": it.uncached,
        "cache_read_input_tokens": it.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": it.text + it.reasoning,
        "output_tokens_details": {"thinking_tokens": it.reasoning},
    }


def _gemini(it: Counts) -> Json:
    return {
        "promptTokenCount": it.uncached + it.cached,
        "cachedContentTokenCount": it.cached,
        "candidatesTokenCount": it.text,
        "thoughtsTokenCount": it.reasoning,
        "totalTokenCount": it.uncached + it.cached + it.text + it.reasoning,
    }


USAGE: Final[tuple[tuple[Wire, Callable[[Counts], Json]], ...]] = (
    (CHAT, _openai("prompt", "completion")),
    (RESPONSES, _openai("input", "output")),
    (MESSAGES, _messages),
    (GEMINI, _gemini),
)
"""How each dialect says the same counts: cached tokens inside the input or beside it, and so on."""


@dataclass(frozen=True)
class Said:
    """An answer, and how it is put on the wire: the sizes of chunks and of writes, in turn."""

    counts: Counts
    pieces: tuple[str, ...]
    place: Place
    chunks: tuple[int, ...]
    writes: tuple[int, ...]

    async def __call__(self, request: Received) -> Answer:
        asking = Asking.of(request)
        wire = asking.wire
        usage = next(make for known, make in USAGE if known is wire)
        if asking.stream:
            events = b"".join(written(wire, event) for event in self._events(wire, usage))
            framed = b"".join(map(chunked, _cut(events, self.chunks)))
            answer = STREAM_HEAD + framed + b"0\r\n\r\n"
        else:
            finish = wire.finishes["stop"]
            reply = wire.reply("".join(self.pieces), finish, usage(self.counts))
            answer = whole(200, json.dumps(reply).encode())
        for part in _cut(answer, self.writes):
            yield part

    def _events(self, wire: Wire, usage: Callable[[Counts], Json]) -> Iterator[Json | str]:
        known = usage(self.counts)
        always = wire is MESSAGES or wire is RESPONSES
        apart = always or self.place in {"end", "twice"}
        said = list(wire.events(self.pieces, wire.finishes["stop"], known if apart else None))
        place = said.index(None)
        texts = range(place - len(self.pieces), place)
        if wire is CHAT or wire is GEMINI:
            for number in texts if self.place == "running" else texts[-1:]:
                if self.place != "end":
                    self._say_beside(wire, said[number], self._so_far(usage, number == texts[-1]))
        elif wire is MESSAGES and self.place != "end":
            _say_at_the_start(said[0], known, only_output=said[-2])
        yield from (event for event in said if event is not None)

    def _so_far(self, usage: Callable[[Counts], Json], is_last: bool) -> Json:  # noqa: FBT001
        it = self.counts
        return usage(it if is_last else Counts(it.uncached, it.cached, min(1, it.text), 0))

    @staticmethod
    def _say_beside(wire: Wire, event: Any, usage: Json) -> None:
        event["usageMetadata" if wire is GEMINI else "usage"] = usage


def _say_at_the_start(start: Any, usage: Json, *, only_output: Any) -> None:
    """Anthropic's streams: all of the input at the start, and only the output at the end."""
    start["message"]["usage"] = {**usage, "output_tokens": 1, "output_tokens_details": None}
    only_output["usage"] = {key: usage[key] for key in usage if key.startswith("output_tokens")}


def _cut(data: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    """The bytes in pieces of these sizes, over and over."""
    start = 0
    for size in cycle(sizes):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size


@dataclass
class Stage:
    """What the provider says next."""

    said: dict[str, Said] = field(default_factory=dict[str, Said])


CONFIGURATION: Final = f"""
[store]
path = "tokonomi.db"

[listen]
port = 0

[[prices.model]]
provider = "fake"
id = "m"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ {", ".join(f'{name} = "{rate / 1e6:.6f}"' for name, rate in RATES.items())} }}
"""


def _provider(name: str, url: str, terms: str) -> str:
    return f"""
[providers.{name}]
base_url = "{url}"
allow_private = true
price_as = "fake"
{terms}

[models.{name}]
provider = "{name}"
model = "m"
"""


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="module")
def provider(stage: Stage) -> Iterator[FakeProvider]:
    async def as_staged(request: Received) -> Answer:
        async for part in stage.said["now"](request):
            yield part

    with FakeProvider(always=as_staged) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    providers = [_provider(name, provider.base_url, terms) for name, terms in EGRESS.items()]
    text = CONFIGURATION + "".join(providers)
    process = GatewayProcess(tmp_path_factory.mktemp("same"), text)
    process.start()
    yield process
    process.stop()


tokens = st.integers(0, 100_000)
sizes = st.lists(st.integers(1, 300), min_size=1, max_size=5).map(tuple)
answers = st.builds(
    Said,
    counts=st.builds(Counts, uncached=tokens, cached=tokens, text=tokens, reasoning=tokens),
    pieces=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5).map(tuple),
    place=st.sampled_from(PLACES),
    chunks=sizes,
    writes=sizes,
)


async def _asked_in_every_way(gateway: GatewayProcess, key: str) -> Mapping[str, str]:
    """The text and then the id of the request, of every pair of dialects, whole and streamed."""
    ways = [(*pair, stream) for pair in PAIRS for stream in (False, True)]
    told = await asyncio.gather(
        *(asked(gateway.url, key, ingress, name, stream=stream) for ingress, name, stream in ways)
    )
    assert all(each.ended and not each.error for each in told)
    return {each.request_id: each.text for each in told}


@settings(max_examples=25)
@given(said=answers)
def test_one_answer_has_one_usage_and_one_cost_in_all_ways(
    gateway: GatewayProcess, key: str, stage: Stage, said: Said
) -> None:
    stage.said["now"] = said
    texts = asyncio.run(_asked_in_every_way(gateway, key))
    assert set(texts.values()) == {"".join(said.pieces)}
    marks = ", ".join("?" * len(texts))
    rows = gateway.rows(f"request_id IN ({marks})", *texts)
    assert len(rows) == len(texts) == 2 * len(PAIRS)
    it = said.counts
    expected = ("ok", "reported", it.uncached, it.cached, it.text + it.reasoning, it.reasoning)
    columns = ("status", "source", "uncached_input", "cache_read", "output", "reasoning")
    found = {(*(row[column] for column in columns), row["amount"]) for row in rows}
    assert found == {(*expected, it.cost)}
