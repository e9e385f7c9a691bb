"""How an ended exchange becomes a row: reported, estimated or unknown, and never mixed up."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.claims import Rules, allowance
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange, row_of, settled
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.providers.adapter import Seen
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.settled_call import LONGEST_NAME, Counts, Ending
from tokonomi.routing import alias as routing
from tokonomi.routing.provider import Provider
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)
BOOK = load_book()
USAGE = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}
TALK = "How much is the fish? " * 50
FINE = Ending(Status.OK)


def exchange(
    reply: object,
    *,
    model: str = "gpt-4o-mini",
    status: int = 200,
    limits: Mapping[str, int] | None = None,
) -> Exchange:
    body: dict[str, Any] = {
        "model": "alias",
        **(limits or {}),
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": TALK}]},
            {"role": "user", "content": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]},
        ],
    }
    reading = adapter_for("openai_chat", "openai").stream()
    if isinstance(reply, dict):
        reading.observe(reply)  # pyright: ignore[reportUnknownArgumentType]
    return Exchange(
        intent=Intent(id="a.1", at=AT, dimensions=Dimensions(), model=model, input_bound=5_000),
        target=Target(
            "openai",
            Provider(base_url="https://a"),
            model,
            "alias",
            terms=routing.Target(provider="openai"),
        ),
        request=parse(json.dumps(body).encode()),
        reading=reading,
        http_status=status,
    )


def usage_of(call: Call) -> Usage:
    assert isinstance(call.usage, Usage)
    return call.usage


def test_reported_usage_is_charged_at_the_price_of_the_model_that_served() -> None:
    reply = {"model": "gpt-4.1-mini-2025-04-14", "usage": USAGE}
    call = settled(exchange(reply), FINE, BOOK)
    row = BOOK.row_at("openai", "gpt-4.1-mini-2025-04-14", AT)
    assert isinstance(row, PriceRow)
    assert call.cost == charge(usage_of(call), row)
    assert (call.model_served, call.note) == ("gpt-4.1-mini-2025-04-14", "")


def test_a_served_model_without_a_price_is_charged_as_the_one_that_was_asked_for() -> None:
    call = settled(exchange({"model": "nobody-knows-it", "usage": USAGE}), FINE, BOOK)
    assert isinstance(call.cost, Charge)
    assert call.note == "no price for nobody-knows-it; priced as gpt-4o-mini, which was asked for"


def test_a_model_that_no_source_prices_is_unpriced_and_keeps_its_usage() -> None:
    call = settled(exchange({"model": "a-b-c", "usage": USAGE}, model="a-b-c"), FINE, BOOK)
    assert call.cost == Unpriced("no price source knows openai/a-b-c")
    assert usage_of(call).output == 7


def test_a_tier_without_a_price_does_not_take_the_standard_one() -> None:
    reply = {"model": "gpt-4o-mini", "usage": USAGE, "service_tier": "scale"}
    call = settled(exchange(reply), FINE, BOOK)
    assert isinstance(call.cost, Unpriced)


@pytest.mark.parametrize(("engine", "priced"), [("auto", True), ("exa", False)])
def test_a_search_by_plugin_has_no_price_though_the_answer_shows_none(
    engine: str, *, priced: bool
) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
    searching = exchange({"model": "openai/gpt-5.1", "usage": usage}, model="openai/gpt-5.1")
    terms = routing.Target(provider="openrouter", web_search=routing.WebSearch(engine=engine))
    provider = Provider(base_url="https://a")
    searching.target = Target("openrouter", provider, "openai/gpt-5.1", "alias", terms)
    body: dict[str, Any] = {"model": "alias", "web_search_options": {}, "messages": []}
    searching.request = parse(json.dumps(body).encode())
    call = settled(searching, FINE, BOOK)
    if priced:
        assert isinstance(call.cost, Charge)
        assert call.cost.total == Money.parse("0.02225", "USD")
    else:
        assert isinstance(call.cost, Unpriced)
        assert call.cost.meters == (Meter.SEARCH,)
        assert usage_of(call).output == 100


def test_usage_that_cannot_be_true_is_not_charged() -> None:
    call = settled(exchange({"usage": {**USAGE, "total_tokens": 3}}), FINE, BOOK)
    assert isinstance(call.usage, Quarantined)
    assert isinstance(call.cost, Unpriced)
    assert "cannot be true" in call.cost.reason


def test_an_answer_without_usage_is_estimated_from_its_text_and_the_requests() -> None:
    choice = {"message": {"content": "It is four euros and ten cents."}}
    call = settled(exchange({"choices": [choice]}), FINE, BOOK)
    usage = usage_of(call)
    assert usage.source is Source.ESTIMATED
    assert 5 <= usage.output <= 12
    assert 250 <= usage.uncached_input <= 450
    assert isinstance(call.cost, Charge)
    assert "estimate" in call.note


def test_an_estimate_of_the_input_does_not_exceed_its_bound() -> None:
    short = exchange({})
    short.intent = Intent(id="a.1", at=AT, dimensions=Dimensions(), model="m", input_bound=10)
    assert usage_of(settled(short, FINE, BOOK)).uncached_input == 10


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (0, Ending(Status.FAILED, "it could not be reached")),
        (500, Ending(Status.FAILED, "it failed")),
        (200, Ending(Status.OK, "the reply is not JSON")),
    ],
)
def test_what_cannot_be_known_is_not_charged_on_a_guess(status: int, ending: Ending) -> None:
    call = settled(exchange(None, status=status), ending, BOOK)
    usage = usage_of(call)
    assert (usage.source, usage.total_tokens, usage.requests) == (Source.ABSENT, 0, 0)
    assert call.cost == Unpriced(ending.unknown)


@pytest.mark.parametrize(
    ("counts", "limits", "output"),
    [
        (Counts.RELAYED, {"max_tokens": 50}, 2),
        (Counts.WHOLE, {"max_tokens": 50, "n": 3}, 150),
        (Counts.WHOLE, {}, 2),
        (Counts.WHOLE, {"max_tokens": 1}, 2),
    ],
)
def test_a_call_that_its_client_left_counts_what_was_relayed_or_all_that_it_may_get(
    counts: Counts, limits: dict[str, int], output: int
) -> None:
    text = {"choices": [{"delta": {"content": "hello world"}}]}
    left = exchange(text, status=0, limits=limits)
    call = settled(left, Ending(Status.DISCONNECTED, note="it left", counts=counts), BOOK)
    usage = usage_of(call)
    assert (usage.source, usage.output) == (Source.ESTIMATED, output)
    assert 250 <= usage.uncached_input <= 450
    assert isinstance(call.cost, Charge)
    assert call.note.startswith("it left; ")


def test_what_is_counted_as_whole_is_what_was_sent_along_and_nothing_where_nothing_answers() -> (
    None
):
    ending = Ending(Status.DISCONNECTED, counts=Counts.WHOLE)
    capped = exchange({}, status=0)
    capped.allowance = Allowance(send_max_tokens=70)
    assert usage_of(settled(capped, ending, BOOK)).output == 70
    longest = exchange({}, status=0)
    longest.target = replace(longest.target, name="seed-004")
    assert usage_of(settled(longest, ending, BOOK)).output == 16_384
    embeddings = exchange({}, status=0)
    embeddings.answers = False
    assert usage_of(settled(embeddings, ending, BOOK)).output == 0
    unknown = exchange({"choices": [{"delta": {"content": "hello world"}}]}, model="a-b-c")
    assert usage_of(settled(unknown, ending, BOOK)).output == 2


def test_usage_that_was_reported_before_a_client_left_stays_exact() -> None:
    ending = Ending(Status.DISCONNECTED, counts=Counts.WHOLE)
    call = settled(exchange({"usage": USAGE}), ending, BOOK)
    assert (usage_of(call).source, usage_of(call).output) == (Source.REPORTED, 7)


@pytest.mark.parametrize("content", [b'"\xff\xfe no UTF-8"', b"1e999"])
def test_a_request_that_cannot_be_read_is_estimated_from_its_bytes(content: bytes) -> None:
    odd = exchange({})
    odd.request = parse(b'{"model":"m","messages":[{"content":' + content + b"}]}")
    usage = usage_of(settled(odd, FINE, BOOK))
    assert usage.source is Source.ESTIMATED
    assert usage.uncached_input == -(-len(b'[{"content":}]' + content) // 3)


class BrokenReading:
    """The reading of a dialect that has a defect."""

    seen = Seen(model="m-1")

    def observe(self, event: Mapping[str, object], /) -> None:
        assert event

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        raise KeyError(at, batch, context_basis)


def test_a_defect_costs_a_call_its_price_and_never_its_row() -> None:
    broken = exchange({})
    broken.reading = BrokenReading()
    call, captured = row_of(broken, Ending(Status.CUT, note="it was cut"), BOOK)
    assert captured == ()
    assert (call.status, call.model_served, call.note) == (Status.CUT, "m-1", "it was cut")
    assert call.cost == Unpriced(
        "its cost could not be worked out, by a defect of Tokonomi (KeyError)"
    )


@pytest.mark.parametrize(
    ("model", "kept"),
    [("m" * 5_000, "m" * LONGEST_NAME), ("a\r\nset-cookie: b", "gpt-4o-mini"), ("a", "a")],
)
def test_names_that_a_provider_writes_are_short_and_printable(model: str, kept: str) -> None:
    call = settled(exchange({"model": model, "id": "i" * 5_000, "usage": USAGE}), FINE, BOOK)
    assert call.model_served == kept
    assert call.provider_request_id == "i" * LONGEST_NAME


class Fields(dict[str, msgspec.Raw]):
    """A request's fields, which count how often its plugins are read."""

    reads = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += key == "plugins"
        return super().get(key, default)


def test_how_a_model_is_sold_is_read_from_a_request_once() -> None:
    fields = Fields(model=msgspec.Raw(b'"alias"'), plugins=msgspec.Raw(b'[{"id": "web"}]'))
    terms = routing.Target(provider="openrouter")
    provider = Provider(base_url="https://a", price_as="openrouter")
    found = exchange({"usage": USAGE}, model="openai/gpt-5.1")
    asked = msgspec.structs.replace(
        found,
        request=msgspec.structs.replace(found.request, fields=fields),
        target=Target("openrouter", provider, "openai/gpt-5.1", "alias", terms=terms),
    )
    assert asked.sold.name == "openai/gpt-5.1:online"
    assert isinstance(allowance(Rules(), asked, BOOK), Allowance)
    call, _ = row_of(asked, FINE, BOOK)
    assert isinstance(call.cost, Charge)
    assert call.cost.row_id.endswith(":online")
    assert fields.reads == 1
