"""A fee for searches is charged for those that the answer shows, and never for a tool on offer."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import available_timezones

import pytest
from dialect_client import asked
from fake_provider import STREAM_END, STREAM_HEAD, Answer, FakeProvider, Received, chunked, whole
from gateway_process import GatewayProcess
from spoken_answers import INPUT, OUTPUT, PIECES, TEXT, Asking, Json, Wire, written

from tokonomi.budgets.table import budget_from_table
from tokonomi.storage import budget_store
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store

FEE: Final = 10_000_000_000
"""Pico-dollars a search, at 10 USD a thousand."""
TOKENS: Final = INPUT * 150_000 + OUTPUT * 600_000
Searched = Callable[[Json], Json]


def _cited(reply: Json) -> Json:
    """Chat completions tell that there was a search, and not how many."""
    cited = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "x"}}
    choice = reply["choices"][0]
    part = "message" if "message" in choice else "delta"
    annotated = {**choice[part], "annotations": [cited, cited]}
    return {**reply, "choices": [{**choice, part: annotated}]}


def _counted(reply: Json) -> Json:
    if "usage" not in reply:
        return reply
    return {**reply, "usage": {**reply["usage"], "server_tool_use": {"web_search_requests": 2}}}


def _listed(reply: Json) -> Json:
    inner = reply.get("response", reply)
    if inner.get("status") != "completed":
        return reply
    action = {"type": "search", "query": "kurs rupiah"}
    calls = [
        {"type": "web_search_call", "id": f"ws{number}", "status": "completed", "action": action}
        for number in range(2)
    ]
    told = {**inner, "output": [*calls, *inner["output"]]}
    return {**reply, "response": told} if "response" in reply else told


def _as_it_is(reply: Json) -> Json:
    return reply


@dataclass(frozen=True)
class Form:
    """How one dialect offers a search, and shows that there was one.

    Attributes:
        name: of the alias and its provider.
        terms: of the provider.
        offer: what a request says to offer the tool.
        shows: an event or a reply with searches in it.
        searches: how many that are.
    """

    name: str
    terms: str
    offer: Mapping[str, object]
    shows: Searched
    searches: int


TOOL: Final = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
FORMS: Final = {
    "chat": Form("chat", "", {"web_search_options": {}}, _cited, 1),
    "messages": Form("anthropic", 'dialect = "anthropic"', {"tools": [TOOL]}, _counted, 2),
    "responses": Form(
        "native",
        'also = ["responses"]',
        {"tools": [{"type": "web_search"}], "max_tool_calls": 3},
        _listed,
        2,
    ),
}


async def says(request: Received, *, shows: Searched) -> Answer:
    asking = Asking.of(request)
    wire = asking.wire
    usage, finish = wire.usage(INPUT, OUTPUT), wire.finishes["stop"]
    if not asking.stream:
        yield whole(200, json.dumps(shows(wire.reply(TEXT, finish, usage))).encode())
        return
    yield STREAM_HEAD
    for said in wire.events(PIECES, finish, usage):
        if said is not None:
            yield chunked(written(wire, _shown(wire, said, shows)))
    yield STREAM_END


def _shown(wire: Wire, said: Json | str, shows: Searched) -> Json | str:
    """An event with its searches, where such an event of this dialect can have some."""
    if isinstance(said, str) or (wire.named is False and not said["choices"]):
        return said
    return shows(said)


CONFIGURATION: Final = """
[store]
path = "tokonomi.db"

[listen]
port = 0

[[prices.model]]
provider = "fake"
id = "m"
source = "our tests"
max_output = 100
context_window = 1000

[[prices.model.price]]
source = "our tests"
rates = { input = "0.15", output = "0.60", search = "10", request = "0" }
"""


def _provider(form: Form, url: str) -> str:
    return f"""
[providers.{form.name}]
base_url = "{url}"
allow_private = true
price_as = "fake"
{form.terms}

[models.{form.name}]
provider = "{form.name}"
model = "m"
"""


@pytest.fixture(scope="module")
def gateway(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    text = CONFIGURATION + "".join(_provider(it, provider.base_url) for it in FORMS.values())
    text += ROUTER.format(url=provider.base_url)
    process = GatewayProcess(tmp_path_factory.mktemp("searches"), text)
    with closing(open_store(process.store)) as database:
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "10"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))
    process.start()
    yield process
    process.stop()


ROUTER: Final = """
[providers.openrouter]
base_url = "{url}"
allow_private = true

[models.router]
provider = "openrouter"
model = "openai/gpt-5.1"
"""
"""OpenRouter without `web_search`, so that the client's own fields go through."""


@pytest.fixture(scope="module")
def unbound(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway where no budget refuses anything."""
    text = CONFIGURATION + ROUTER.format(url=provider.base_url)
    process = GatewayProcess(tmp_path_factory.mktemp("unbound"), text)
    process.start()
    yield process
    process.stop()


@pytest.mark.parametrize("ingress", FORMS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("offered", [False, True])
@pytest.mark.parametrize("searched", [False, True])
def test_a_search_is_charged_where_the_answer_shows_it_and_only_there(
    gateway: GatewayProcess,
    key: str,
    provider: FakeProvider,
    ingress: str,
    *,
    stream: bool,
    offered: bool,
    searched: bool,
) -> None:
    form = FORMS[ingress]
    shows = form.shows if searched else _as_it_is
    provider.always = lambda request: says(request, shows=shows)
    more: dict[str, Any] = dict(form.offer) if offered else {}
    before = spent(gateway)
    told = asyncio.run(asked(gateway.url, key, ingress, form.name, stream=stream, **more))
    assert (told.status, told.text) == (200, TEXT)
    row = gateway.row(told.request_id)
    searches = form.searches if searched else 0
    assert (row["status"], row["source"], row["searches"]) == ("ok", "reported", searches)
    assert row["amount"] == TOKENS + searches * FEE
    assert spent(gateway) == before + row["amount"]
    assert bool(held_for_searches(row)) is offered


def held_for_searches(row: dict[str, Any]) -> int:
    """How many fees the hold on the budget had room for, beside all tokens that there could be."""
    [[_, _, parts]] = json.loads(bytes(row["held"]))
    return sum(amount for _, amount in parts) // FEE


def spent(gateway: GatewayProcess) -> int:
    """Pico-dollars that were captured on the budget so far."""
    with closing(open_store(gateway.store)) as database:
        total = only_row(database, "SELECT coalesce(sum(debits_posted), 0) FROM account")[0]
    return int(total)


ROUTER_TOKENS: Final = INPUT * 1_250_000 + OUTPUT * 10_000_000
ROUTER_FEE: Final = 20_000_000_000
BY_PLUGIN: Final = {"plugins": [{"id": "web"}]}


@pytest.mark.parametrize(
    ("ingress", "asking"),
    [("chat", BY_PLUGIN), ("messages", {"tools": [TOOL]})],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_clients_own_search_at_openrouter_is_held_and_charged_although_no_reply_shows_it(
    gateway: GatewayProcess,
    key: str,
    provider: FakeProvider,
    ingress: str,
    asking: dict[str, Any],
    *,
    stream: bool,
) -> None:
    provider.always = lambda request: says(request, shows=_as_it_is)
    told = asyncio.run(asked(gateway.url, key, ingress, "router", stream=stream, **asking))
    assert told.status == 200
    row = gateway.row(told.request_id)
    assert row["amount"] == ROUTER_TOKENS + ROUTER_FEE
    [[_, _, parts]] = json.loads(bytes(row["held"]))
    assert sum(amount for _, amount in parts) > row["amount"]


WITHOUT_A_LISTED_FEE: Final[dict[str, dict[str, Any]]] = {
    "by more results than usual": {"plugins": [{"id": "web", "max_results": 9}]},
    "by an engine": {"plugins": [{"id": "web", "engine": "exa"}]},
    "by options": {"web_search_options": {}},
}


@pytest.mark.parametrize("asking", WITHOUT_A_LISTED_FEE.values(), ids=[*WITHOUT_A_LISTED_FEE])
def test_a_search_at_openrouter_whose_fee_nobody_knows_is_refused_by_a_budget_and_else_unpriced(
    gateway: GatewayProcess,
    unbound: GatewayProcess,
    key: str,
    provider: FakeProvider,
    asking: dict[str, Any],
) -> None:
    provider.always = lambda request: says(request, shows=_as_it_is)
    refused = asyncio.run(asked(gateway.url, key, "chat", "router", stream=False, **asking))
    assert refused.status == 402
    anybody, _ = unbound.make_key()
    told = asyncio.run(asked(unbound.url, anybody, "chat", "router", stream=False, **asking))
    assert told.status == 200
    row = unbound.row(told.request_id)
    assert row["amount"] is None
    assert "search" in row["unpriced"]


def test_a_function_of_the_clients_that_is_called_web_search_costs_no_fee(
    unbound: GatewayProcess, provider: FakeProvider
) -> None:
    provider.always = lambda request: says(request, shows=_as_it_is)
    function = {"type": "function", "function": {"name": "web_search"}}
    key, _ = unbound.make_key()
    told = asyncio.run(asked(unbound.url, key, "chat", "router", stream=False, tools=[function]))
    assert unbound.row(told.request_id)["amount"] == ROUTER_TOKENS
