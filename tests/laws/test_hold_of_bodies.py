"""No body, however it is written, is billed for more than it holds: it is held, or refused.

A provider is simulated that reads each body in the dearest way that any parser might: of a name
that stands twice it takes the dearer value, of a number in quotes the number, of a limit that it
does not understand none; a part, a tool or a field that it alone knows costs it a fortune.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.table import budget_from_table
from tokonomi.calls import Dimensions, Intent
from tokonomi.credits.wallet import WalletRule
from tokonomi.credits.weights import Weights
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.claims import BudgetInForce, Rules, WalletInForce, allowance
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.wire_errors import WireError
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.token_estimate import input_upper_bound
from tokonomi.routing.provider import Provider
from tokonomi.storage.price_files import load_book

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FORTUNE = 10**9
"""Tokens that something costs which only the provider knows."""
LONGEST = 128_000
PRICES = {"gpt-4o-mini": (150_000, 600_000), "gpt-4o": (2_500_000, 10_000_000)}
"""Pico-dollars of a token of input and of output."""
AN_IMAGE = 48_169
A_TEMPLATE = 16


@dataclass(frozen=True)
class Pairs:
    """An object as it is written: a name may stand in it twice."""

    pairs: tuple[tuple[str, object], ...]

    def all(self, name: str) -> Iterator[object]:
        yield from (value for key, value in self.pairs if key == name)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.pairs}


def items(value: object) -> list[object]:
    """The values of an array; what is none has none."""
    return cast("list[object]", value) if isinstance(value, list) else []


def lenient(value: object) -> int | None:
    """A number as some parser reads it; None where it takes it for nothing."""
    try:
        read = int(float(value)) if isinstance(value, str | float | int) else None
    except (ValueError, OverflowError):
        return None
    return read if read is not None and read > 0 else None


FREE = {"model", "temperature", "user"}
COUNTS = {"max_tokens", "max_completion_tokens", "n", "best_of"}
KNOWN = FREE | COUNTS | {"models", "messages", "tools"}


def billed(body: Pairs) -> int:
    """The dearest bill of a body, in pico-dollars."""
    models = {"gpt-4o-mini"}
    for stated in body.all("models"):
        models |= {each for each in items(stated) if isinstance(each, str) and each in PRICES}
    tokens_in = sum(texts(value) for _, value in body.pairs)
    tokens_in += sum(conversation(value) for value in body.all("messages"))
    tokens_in += FORTUNE * len(body.names - KNOWN)
    for tools in body.all("tools"):
        tokens_in += sum(map(a_tool, items(tools)))
    most = max(output_limits(body), default=LONGEST)
    choices = [lenient(value) or 1 for name in ("n", "best_of") for value in body.all(name)]
    output = most * max(choices, default=1)
    return max(tokens_in * PRICES[model][0] + output * PRICES[model][1] for model in models)


def output_limits(body: Pairs) -> Iterator[int]:
    for name in ("max_tokens", "max_completion_tokens"):
        for value in body.all(name):
            if value is not None:
                yield lenient(value) or LONGEST


def texts(value: object) -> int:
    """A token for each byte of each text."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Pairs):
        return sum(texts(each) for _, each in value.pairs)
    return sum(map(texts, items(value)))


def conversation(messages: object) -> int:
    tokens = 0
    for message in items(messages):
        if not isinstance(message, Pairs):
            continue
        tokens += A_TEMPLATE
        tokens += FORTUNE * len(message.names - {"role", "content", "name"})
        for content in message.all("content"):
            tokens += sum(map(a_part, items(content)))
    return tokens


def a_part(part: object) -> int:
    if not isinstance(part, Pairs):
        return 0
    types = {*part.all("type")} if part.names else set[object]()
    tokens = FORTUNE * bool(types - {"text", "image_url"}) + AN_IMAGE * ("image_url" in types)
    return tokens + FORTUNE * bool(part.names - {"type", "text", "image_url"})


def a_tool(tool: object) -> int:
    if not isinstance(tool, Pairs):
        return 0
    return FORTUNE * bool(tool.names - {"type", "function"} or {*tool.all("type")} != {"function"})


counts = st.one_of(
    *[st.integers(1, 50)] * 4,
    st.integers(-(10**40), 10**40),
    st.sampled_from(["8", "8.0", 8.0, 2.5, 1e3, True, None, 0, "x"]),
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
types = st.sampled_from(["text", "image_url", "file", "video_url", "input_audio"])


def objects(*fields: tuple[str, st.SearchStrategy[object]]) -> st.SearchStrategy[Pairs]:
    """Objects that hold some of these fields, most of them once."""
    each = [st.tuples(st.just(name), value) for name, value in fields]
    usual = st.tuples(*each)
    odd = st.lists(st.one_of(*each), max_size=len(each) + 1).map(tuple)
    return st.one_of(usual, usual, usual, odd).map(Pairs)


parts = objects(
    ("type", types), ("text", words), ("image_url", objects(("url", st.just("https://x/a.png"))))
) | objects(("type", st.just("text")), ("text", words))
messages = objects(
    ("role", st.sampled_from(["user", "system"])), ("content", words | st.lists(parts, max_size=3))
) | objects(("role", st.just("user")), ("content", words), ("images", st.just(["a"])))
tools = objects(
    ("type", st.sampled_from(["function", "function", "web_search"])),
    ("function", objects(("name", words))),
)
fields = st.one_of(
    st.tuples(st.sampled_from(["max_tokens", "max_completion_tokens", "n", "best_of"]), counts),
    st.tuples(st.just("temperature"), st.just(0.7)),
    st.tuples(st.just("models"), st.lists(st.sampled_from([*PRICES, "nobody/knows"]), max_size=2)),
    st.tuples(st.just("tools"), st.lists(tools, max_size=2)),
    st.tuples(st.sampled_from(["preset", "num_choices", "N", "user"]), words),
)


def whole(spoken: list[Pairs], more: list[tuple[str, object]]) -> Pairs:
    return Pairs((("model", "gpt-4o-mini"), ("messages", spoken), *more))


bodies = st.builds(whole, st.lists(messages, max_size=3), st.lists(fields, max_size=4))


@dataclass(frozen=True)
class Pen:
    """Writes JSON with the freedom that JSON leaves: escapes, spaces, names that stand twice."""

    escapes: bool
    spaces: str

    def text(self, text: str) -> str:
        if self.escapes and text.isascii():
            return '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"'
        return json.dumps(text, ensure_ascii=self.escapes)

    def write(self, value: object) -> str:
        if isinstance(value, Pairs):
            inside = [
                f"{self.text(name)}{self.spaces}:{self.spaces}{self.write(each)}"
                for name, each in value.pairs
            ]
            return "{" + f",{self.spaces}".join(inside) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(self.write, items(cast("object", value)))) + "]"
        return self.text(value) if isinstance(value, str) else json.dumps(value)


pens = st.builds(Pen, st.booleans(), st.sampled_from(["", " ", "\n\t"]))


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_book()


def rules() -> Rules:
    table = {"id": "b", "window": "day", "currency": "USD", "amount": "1"}
    budget = budget_from_table(table, zones=available_timezones())
    return Rules(
        budgets=[BudgetInForce(budget, ZoneInfo(budget.zone))],
        wallets=[WalletInForce(WalletRule(per="project"), Weights())],
    )


RULES = rules()


def held(body: bytes, book: PriceBook) -> tuple[int, int] | str:
    """The money and the milli-credits that are held for a body, or the code of its refusal."""
    try:
        request = parse(body)
    except WireError as error:
        return error.code
    intent = Intent(
        id="r.1",
        at=NOW,
        dimensions=Dimensions(project="growth"),
        model="gpt-4o-mini",
        input_bound=input_upper_bound(body),
    )
    target = Target("openai", Provider(base_url="http://127.0.0.1:9/v1"), "gpt-4o-mini", "m")
    reading = adapter_for(Dialect.OPENAI_CHAT, "openai").stream()
    made = allowance(RULES, Exchange(intent, target, request, reading), book)
    if isinstance(made, Refused):
        return made.code
    money, credit = made.claims
    return money.amount, credit.amount


@settings(max_examples=300)
@given(body=bodies, pen=pens)
def test_the_dearest_bill_of_a_body_is_held_or_the_body_is_refused(
    book: PriceBook, body: Pairs, pen: Pen
) -> None:
    found = held(pen.write(body).encode(), book)
    event("refused" if isinstance(found, str) else "held")
    if isinstance(found, str):
        assert found in {"price_unknown", "request_too_dear", "invalid_request"}
    else:
        assert found[0] >= billed(body)


def one_message(content: str) -> Pairs:
    return Pairs((("role", "user"), ("content", content)))


@given(
    spoken=st.lists(words.map(one_message), max_size=3),
    limit=st.integers(1, 2**31 - 1),
    choices=st.integers(1, 50),
    pen=pens,
)
def test_an_ordinary_body_is_never_refused_for_what_it_says(
    book: PriceBook, *, spoken: list[Pairs], limit: int, choices: int, pen: Pen
) -> None:
    body = whole(spoken, [("max_tokens", limit), ("n", choices)])
    found = held(pen.write(body).encode(), book)
    assert found not in {"price_unknown", "invalid_request"}
