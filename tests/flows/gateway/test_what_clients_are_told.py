"""What a client reads when every target fails: the request's id, and nothing from behind us."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import available_timezones

import httpx
import pytest
from dialect_client import QUESTION
from fake_provider import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    Deaf,
    FakeProvider,
    Received,
    chunked,
    whole,
)
from gateway_process import GatewayProcess
from spoken_answers import HALF, Asking, Json, written
from test_fault_matrix import EGRESS, FAULTS, by_path, provider_section

from tokonomi.budgets.table import budget_from_table
from tokonomi.storage import budget_store
from tokonomi.storage.engine import open_store

SECRET: Final = "sk-of-the-provider"
ACCOUNT: Final = "org-of-the-operator"
HIDDEN: Final = re.compile(
    rf"{SECRET}|{ACCOUNT}|127\.0\.0\.1|localhost|errno|ssl|traceback|socket|httptools|invalid",
    re.IGNORECASE,
)
"""What stands in the words of a provider or of the system, and is no client's business."""
PATHS: Final = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
PAIRS: Final = (("chat", "openai"), ("chat", "anthropic"), ("messages", "anthropic"))
"""What clients speak, and what providers do."""
SPOKEN: Final = ("openai", "anthropic")
AT_A_TIME: Final = 16


def _in_confidence(wire_error: Callable[[int, str, str], Json], status: int) -> Json:
    return wire_error(status, "invalid_api_key", f"Incorrect API key {SECRET} of {ACCOUNT}")


def refuses_our_key(status: int) -> Callable[[Received], Answer]:
    async def answer(request: Received) -> Answer:
        body = _in_confidence(Asking.of(request).wire.error, status)
        yield whole(status, json.dumps(body).encode())

    return answer


async def refuses_our_key_late(request: Received) -> Answer:
    """Half of a stream, and then an error that names our key."""
    asking = Asking.of(request)
    if not asking.stream:
        async for part in refuses_our_key(401)(request):
            yield part
        return
    wire = asking.wire
    yield STREAM_HEAD
    for said in wire.events(HALF, wire.finishes["stop"], None):
        if said is None:
            break
        yield chunked(written(wire, said))
    error = wire.error(401, "authentication_error", f"Incorrect API key {SECRET} of {ACCOUNT}")
    yield chunked(written(wire, error))
    yield STREAM_END


CONFIDENTIAL: Final[Mapping[str, Callable[[Received], Answer]]] = {
    **{f"confidential-{status}": refuses_our_key(status) for status in (401, 402, 403)},
    "confidential-late": refuses_our_key_late,
}
ALARMS: Final = tuple(name for name in CONFIDENTIAL if not name.endswith("-late"))
FAILING: Final = (
    *(name for name, fault in FAULTS.items() if fault.kind is not None),
    *CONFIDENTIAL,
)


class Case(NamedTuple):
    fault: str
    spoken: str
    ingress: str
    stream: bool

    @property
    def is_an_answer(self) -> bool:
        """Whether it goes to the client as it came, for want of a better one."""
        return self.fault in {"empty", "filtered"}

    @property
    def is_late(self) -> bool:
        """Whether some of the answer has gone to the client before."""
        late = self.fault not in FAULTS or FAULTS[self.fault].late
        return self.stream and late and self.fault not in ALARMS

    def __str__(self) -> str:
        how = "stream" if self.stream else "whole"
        return f"{self.fault}-{self.ingress}-to-{self.spoken}-{how}"


CASES: Final = [
    case
    for fault in FAILING
    for ingress, spoken in PAIRS
    for stream in (False, True)
    if (case := Case(fault, spoken, ingress, stream))
    and (fault not in FAULTS or FAULTS[fault].only != ("whole" if stream else "stream"))
]


def configuration(urls: Mapping[str, str]) -> str:
    """A provider and an alias for each failure, with no other target."""
    parts = [
        """
[store]
path = "tokonomi.db"

[listen]
port = 0

[limits]
body_bytes = 100000

[breaker]
minimum_calls = 100000
"""
    ]
    for fault in FAILING:
        for spoken in SPOKEN:
            name, limit = f"{fault}-{spoken}", ""
            if fault == "no-first-token":
                limit = ", first_token_seconds = 0.3"
            parts.append(
                provider_section(name, urls.get(fault, urls[""]), fault, EGRESS[spoken])
                + f'\n[models.{name}]\ntargets = [{{ provider = "{name}", model = "m",'
                f" attempts = 1{limit} }}]\n"
            )
    return "".join(parts)


async def confidential_by_path(request: Received) -> Answer:
    behaviour = CONFIDENTIAL.get(request.path.split("/")[1], by_path)
    async for part in behaviour(request):
        yield part


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(always=confidential_by_path) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    here = f"127.0.0.1:{provider.port}"
    with Deaf() as deaf:
        urls = {
            "": f"http://{here}",
            "connect-refused": "http://127.0.0.1:9",
            "connect-timeout": deaf,
            "no-tls": f"https://{here}",
        }
        process = GatewayProcess(tmp_path_factory.mktemp("told"), configuration(urls))
        process.start()
        yield process
        process.stop()


class Told(NamedTuple):
    status: int
    headers: httpx.Headers
    text: str


@pytest.fixture(scope="module")
def told(gateway: GatewayProcess, key: str) -> Mapping[Case, Told]:
    return asyncio.run(_all(gateway.url, key))


@pytest.fixture(scope="module")
def recorded(gateway: GatewayProcess, told: Mapping[Case, Told]) -> frozenset[str]:
    """The ids of all requests that have rows."""
    assert told, "they were made"
    return frozenset(row["request_id"] for row in gateway.rows())


async def _all(url: str, key: str) -> dict[Case, Told]:
    places = asyncio.Semaphore(AT_A_TIME)
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:

        async def ask(case: Case) -> Told:
            body = {
                "model": f"{case.fault}-{case.spoken}",
                "messages": [{"role": "user", "content": QUESTION}],
                "max_tokens": 30,
                "stream": case.stream,
            }
            async with places:
                headers = {"authorization": f"Bearer {key}"}
                reply = await client.post(PATHS[case.ingress], json=body, headers=headers)
            return Told(reply.status_code, reply.headers, reply.text)

        return dict(zip(CASES, await asyncio.gather(*map(ask, CASES)), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_failure_is_told_with_the_id_of_its_row_and_without_what_is_behind_us(
    told: Mapping[Case, Told], recorded: frozenset[str], case: Case
) -> None:
    answer = told[case]
    assert answer.headers["x-tokonomi-request-id"] in recorded
    lines = [line for line in answer.text.splitlines() if not line.startswith(": tokonomi")]
    found = HIDDEN.search("\n".join(lines).replace("invalid_request", ""))
    assert found is None, answer.text
    if case.is_an_answer:
        assert answer.status == 200
    else:
        assert (answer.status >= 400) is not case.is_late
        assert "error" in answer.text


def test_a_message_of_ours_names_the_provider_and_what_happened(told: Mapping[Case, Told]) -> None:
    expected = {
        "hangs-up": "The provider hangs-up-openai gave no whole answer (the connection broke before"
        " the answer began). Try again; it may bill the failed call.",
        "no-http": "The provider no-http-openai gave no whole answer (the connection broke before"
        " the answer began). Try again; it may bill the failed call.",
        "connect-refused": "The provider connect-refused-openai could not be reached. Try again;"
        " its row says why.",
        "confidential-401": "The provider confidential-401-openai does not serve this gateway (401:"
        " the provider's key is not taken). Your own key is fine. Trying again does not help: tell"
        " whoever runs the gateway.",
    }
    messages = {
        fault: json.loads(told[Case(fault, "openai", "chat", stream=False)].text)["error"][
            "message"
        ]
        for fault in expected
    }
    assert messages == expected


@pytest.mark.parametrize("ingress", PATHS)
def test_an_error_about_our_key_in_the_middle_of_a_stream_is_told_in_our_words(
    told: Mapping[Case, Told], ingress: str
) -> None:
    answer = told[Case("confidential-late", "anthropic", ingress, stream=True)]
    assert "does not serve this gateway" in answer.text
    assert HALF[0] in answer.text


Request = tuple[str, dict[str, Any]]


def _refusals(key: str) -> dict[str, Request]:
    """Requests that are refused before any provider is asked."""
    known = {"authorization": f"Bearer {key}"}
    well = {"model": "status-500-openai", "messages": [{"role": "user", "content": QUESTION}]}
    chat = PATHS["chat"]
    return {
        "no key": (chat, {"json": well}),
        "a wrong key": (chat, {"json": well, "headers": {"authorization": "Bearer tk-none"}}),
        "no JSON": (chat, {"content": b"{", "headers": known}),
        "no model": (chat, {"json": {}, "headers": known}),
        "an unknown model": (chat, {"json": well | {"model": "x"}, "headers": known}),
        "a long body": (chat, {"content": b" " * 200_000, "headers": known}),
        "a stream of embeddings": (
            "/v1/embeddings",
            {"json": {"model": "x", "input": "x", "stream": True}, "headers": known},
        ),
        "a wrong header": (
            chat,
            {"json": well, "headers": known | {"x-tokonomi-tags": "no equals sign"}},
        ),
        "what cannot be translated": (
            PATHS["messages"],
            {"json": well | {"max_tokens": 5, "zzz": {"a": 1}}, "headers": known},
        ),
    }


def test_a_refusal_of_ours_bears_an_id_of_its_own(gateway: GatewayProcess, key: str) -> None:
    ids: set[str] = set()
    requests = _refusals(key)
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        for what, (path, more) in requests.items():
            reply = client.post(path, **more)
            assert 400 <= reply.status_code < 500, what
            assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-tokonomi-request-id"]), what
            ids.add(reply.headers["x-tokonomi-request-id"])
    assert len(ids) == len(requests)


def test_a_refusal_by_a_budget_bears_an_id(provider: FakeProvider, tmp_path: Path) -> None:
    process = GatewayProcess(tmp_path / "spent", configuration({"": provider.base_url}))
    with closing(open_store(process.store)) as database:
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "1"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))
    process.start()
    key, _ = process.make_key()
    path, more = _refusals(key)["a wrong header"]
    more["headers"].pop("x-tokonomi-tags")
    with httpx.Client(base_url=process.url, timeout=20) as client:
        reply = client.post(path, **more)
    process.stop()
    assert reply.status_code == 402
    assert len(reply.headers["x-tokonomi-request-id"]) == 32
