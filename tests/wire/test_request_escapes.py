"""Bodies that once were billed for more than they held: each is refused by name, or held in full.

The bodies are bytes, as clients send them. A hard budget binds, and the bill is what the dearest
reading of a provider makes of them.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.table import budget_from_table
from tokonomi.calls import Dimensions, Intent
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.claims import BudgetInForce, Rules, allowance
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
OUTPUT = 600_000
"""Pico-dollars of an output token of gpt-4o-mini."""
INPUT = 150_000
SEARCH = 10**10
"""Pico-dollars of a web search: $10 per 1,000."""
WINDOW = 128_000


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_book()


def hard_budget() -> Rules:
    table = {"id": "b", "window": "day", "currency": "USD", "amount": "1"}
    found = budget_from_table(table, zones=available_timezones())
    return Rules(budgets=[BudgetInForce(found, ZoneInfo(found.zone))])


def judged(
    body: bytes,
    book: PriceBook,
    *,
    model: str = "gpt-4o-mini",
    provider: str = "openai",
    dialect: Dialect = Dialect.OPENAI_CHAT,
) -> int | tuple[str, str | None]:
    """What is held for a body, in pico-dollars, or the code of its refusal and its field."""
    try:
        request = parse(body, dialect) if dialect is not Dialect.OPENAI_CHAT else parse(body)
    except WireError as error:
        return error.code, error.param
    intent = Intent(
        id="r.1",
        at=NOW,
        dimensions=Dimensions(project="growth"),
        model=model,
        input_bound=input_upper_bound(body),
    )
    target = Target(provider, Provider(base_url="http://127.0.0.1:9/v1"), model, model)
    reading = adapter_for(Dialect.OPENAI_CHAT, provider).stream()
    answers = dialect is not Dialect.OPENAI_EMBEDDINGS
    made = allowance(
        hard_budget(), Exchange(intent, target, request, reading, answers=answers), book
    )
    if isinstance(made, Refused):
        return made.code, made.param
    return made.claims[0].amount


def chat(more: bytes, content: bytes = b'"hi"') -> bytes:
    return b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":%b}],"max_tokens":9%b}' % (
        content,
        b"," + more if more else b"",
    )


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        # The body's own word on where it goes.
        (b'"models":["nobody/knows"]', "price_unknown", None),
        (b'"preset":"mine"', "price_unknown", "preset"),
        (b'"extra_body":{"model":"gpt-4o"}', "price_unknown", "extra_body"),
        (b'"fallbacks":["gpt-4o"]', "price_unknown", "fallbacks"),
        (b'"provider":{"only":["dear"]}', "price_unknown", "provider"),
        (b'"provider":{"options":{}}', "price_unknown", "provider"),
        (b'"models":"gpt-4o"', "invalid_request", "models"),
        # Numbers that one parser takes for others.
        (b'"n":8.0', "invalid_request", "n"),
        (b'"n":"8"', "invalid_request", "n"),
        (b'"n":-1', "invalid_request", "n"),
        (b'"n":2.5', "invalid_request", "n"),
        (b'"n":true', "invalid_request", "n"),
        (b'"n":1e1', "invalid_request", "n"),
        (b'"n":1' + b"0" * 30, "invalid_request", "n"),
        (b'"best_of":"8"', "invalid_request", "best_of"),
        (b'"num_choices":8', "price_unknown", "num_choices"),
        (b'"N":8', "price_unknown", "N"),
        (b'"max_completion_tokens":"9"', "invalid_request", "max_completion_tokens"),
        (b'"max_completion_tokens":0', "invalid_request", "max_completion_tokens"),
        (b'"max_completion_tokens":1' + b"0" * 30, "invalid_request", "max_completion_tokens"),
        (b'"n_predict":9000', "price_unknown", "n_predict"),
        # The same name twice.
        (b'"max_tokens":9000', "invalid_request", "max_tokens"),
        (b'"max\\u005ftokens":9000', "invalid_request", "max_tokens"),
        (b'"n":1,"n":8', "invalid_request", "n"),
        (
            b'"reasoning":{"effort":"low","max_tokens":9,"max_tokens":9000}',
            "invalid_request",
            "reasoning",
        ),
        # Tools of the provider's own.
        (b'"tools":[{"type":"web_search_preview"}]', "price_unknown", "tools"),
        (b'"tools":[{"type":"openrouter:web\\u005fsearch"}]', "price_unknown", "tools"),
        (b'"tools":[{"google_search":{}}]', "price_unknown", "tools"),
        (b'"tools":[{"type":"function","function":{},"web_search":{}}]', "price_unknown", "tools"),
        (b'"search_parameters":{"mode":"on"}', "price_unknown", "search_parameters"),
        (b'"plugins":[{"id":"file-parser"}]', "price_unknown", "plugins"),
        (b'"plugins":[{"id":"web","engine":"parallel"}]', "price_unknown", "plugins"),
        # What the model puts out besides text.
        (b'"modalities":["text","image"]', "price_unknown", "modalities"),
        (b'"modalities":["text","audio"]', "price_unknown", None),
        (b'"audio":{"voice":"alloy","format":"wav"}', "price_unknown", None),
        # What stands at the provider.
        (b'"previous_response_id":"resp_1"', "price_unknown", "previous_response_id"),
        (b'"conversation":"conv_1"', "price_unknown", "conversation"),
        (b'"prompt":{"id":"pmpt_1"}', "price_unknown", "prompt"),
        (b'"cached_content":"c"', "price_unknown", "cached_content"),
        # Dearer service.
        (b'"service_tier":"scale"', "price_unknown", "service_tier"),
        (b'"service_tier":7', "invalid_request", "service_tier"),
    ],
)
def test_a_field_whose_cost_has_no_bound_is_refused_by_its_name(
    book: PriceBook, more: bytes, code: str, param: str | None
) -> None:
    assert judged(chat(more), book) == (code, param)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'[{"type":"video_url","video_url":{"url":"https://x/a.mp4"}}]', "price_unknown"),
        (b'[{"type":"video\\u005furl","video_url":{"url":"https://x/a.mp4"}}]', "price_unknown"),
        (b'[{"type":"file","file":{"file_id":"f"}}]', "price_unknown"),
        (b'[{"type":"f\\u0069le","file":{"file_id":"f"}}]', "price_unknown"),
        (b'[{"image_url":{"url":"https://x/a.png"}}]', "price_unknown"),
        (b'[{"type":"text","text":"x","image_url":"https://x/a.png"}]', "price_unknown"),
        (
            b'[{"type":"image_url","image_url":{"url":"data:application/pdf;base64,AA"}}]',
            "price_unknown",
        ),
        (b'[{"type":"file","type":"text","text":"x"}]', "invalid_request"),
        (b'[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]', "price_unknown"),
        (b'"hi","images":["https://x/a.png"]', "price_unknown"),
        (b'"hi","audio":{"id":"audio_1"},"video":1', "price_unknown"),
        (b'[{"type":"image_url"}]', "price_unknown"),
        (b'[{"type":"image_url","image_url":null}]', "price_unknown"),
        (b'[{"type":"image_url","image_url":{"detail":"high"}}]', "price_unknown"),
        (b'[{"type":"input_audio"}]', "price_unknown"),
        (b'{"type":"file"}', "invalid_request"),
        (b'["a","b"]', "invalid_request"),
    ],
)
def test_a_part_that_is_not_known_is_refused(book: PriceBook, content: bytes, code: str) -> None:
    assert judged(chat(b"", content), book) in {(code, "messages"), (code, None)}


@pytest.mark.parametrize(
    ("more", "content", "bill"),
    [
        (b'"n":8', b'"hi"', 8 * 9 * OUTPUT),
        (b'"best_of":8', b'"hi"', 8 * 9 * OUTPUT),
        (b'"models":["gpt-4o"]', b'"hi"', 9 * 10_000_000),
        (b'"service_tier":"priority"', b'"hi"', 9 * 1_000_000),
        (b'"prediction":{"type":"content","content":"' + b"x" * 500 + b'"}', b'"hi"', 509 * OUTPUT),
        (b'"reasoning":{"max_tokens":700}', b'"hi"', 709 * OUTPUT),
        (b'"web_search_options":{}', b'"hi"', WINDOW * INPUT + SEARCH + 9 * OUTPUT),
        (b'"tools":[{"type":"function","function":{"name":"' + b"x" * 90 + b'"}}]',
         b'"hi"', 3 * 90 * INPUT),
        (b"", b'[{"type":"image\\u005furl","image\\u005furl":{"url":"https://x/a.png"}}]',
         48_169 * INPUT),
        (b"", b'[{"type":"image_url","image_url":"https://x/a.png"}]', 48_169 * INPUT),
        (b'"frequency_penalty":0.5', b'"hi","r\\u006fle":"user"', None),
    ],
)  # fmt: skip
def test_what_is_known_with_its_bound_is_held_in_full(
    book: PriceBook, more: bytes, content: bytes, bill: int | None
) -> None:
    held = judged(chat(more, content), book)
    if bill is None:
        assert held == ("invalid_request", "messages")
    else:
        assert isinstance(held, int)
        assert held >= bill


def test_a_role_that_is_written_with_escapes_is_counted_as_a_message(book: PriceBook) -> None:
    message = b'{"r\\u006fle":"user","content":"x"}'
    body = b'{"model":"gpt-4o-mini","messages":[%b],"max_tokens":1}' % b",".join([message] * 50)
    held = judged(body, book)
    assert isinstance(held, int)
    assert held >= (len(body) + 50 * 16) * INPUT


def test_the_web_plugin_of_openrouter_holds_its_fee_and_all_that_it_may_read(
    book: PriceBook,
) -> None:
    model = "mistralai/mistral-medium-3.1:online"
    held = judged(chat(b'"plugins":[{"id":"web"}]'), book, model=model, provider="openrouter")
    assert isinstance(held, int)
    assert held >= 20 * 10**9 + 131_072 * 400_000


def test_a_web_plugin_whose_fee_nobody_has_listed_is_not_held(book: PriceBook) -> None:
    model = "mistralai/mistral-medium-3.1:online"
    body = chat(b'"plugins":[{"id":"web","engine":"exa","max_results":12}]')
    assert judged(body, book, model=model, provider="openrouter") == ("price_unknown", None)


def test_an_alias_that_stands_for_an_online_model_holds_its_searches(book: PriceBook) -> None:
    plain = judged(chat(b""), book, model="openai/gpt-5.1", provider="openrouter")
    online = judged(chat(b""), book, model="openai/gpt-5.1:online", provider="openrouter")
    assert isinstance(plain, int)
    assert isinstance(online, int)
    # OpenAI searches by itself there, and the model may read its window again each time.
    assert online - plain >= 10 * 400_000 * 1_250_000


def test_a_price_that_the_request_caps_itself_is_held_where_it_is_dearer(book: PriceBook) -> None:
    capped = chat(b'"provider":{"only":["dear"],"max_price":{"prompt":50,"completion":"90.5"}}')
    held = judged(capped, book, model="openai/gpt-5.1", provider="openrouter")
    assert isinstance(held, int)
    # Writing a cache for an hour costs twice the price of input.
    assert held >= 2 * len(capped) * 50_000_000 + 9 * 90_500_000


CLAUDE = b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":%b}]%b}'
HOUR_WRITE = 6_000_000
"""Pico-dollars of a token that is written to the cache for an hour."""


def claude(book: PriceBook, more: bytes = b"", content: bytes = b'"hi"') -> object:
    return judged(
        CLAUDE % (content, b"," + more if more else b""),
        book,
        model="claude-sonnet-4-5",
        provider="anthropic",
        dialect=Dialect.ANTHROPIC_MESSAGES,
    )


@pytest.mark.parametrize(
    ("more", "param"),
    [
        (b'"mcp_servers":[]', "mcp_servers"),
        (b'"container":"c"', "container"),
        (b'"speed":"fast"', "speed"),
        (b'"inference_geo":"us"', "inference_geo"),
        (b'"fallbacks":[]', "fallbacks"),
        (b'"tools":[{"type":"code_execution_20250825","name":"c"}]', "tools"),
        (b'"tools":[{"type":"web_search_20250305","name":"web_search"}]', "tools"),
        (b'"tools":[{"type":"web_search_20990101","name":"web_search","max_uses":1}]', "tools"),
        (b'"cache_control":{"type":"ephemeral","ttl":"1d"}', "cache_control"),
    ],
)
def test_what_has_no_bound_in_anthropics_messages_is_refused(
    book: PriceBook, more: bytes, param: str
) -> None:
    assert claude(book, more) == ("price_unknown", param)


@pytest.mark.parametrize("source", [b"", b',"source":{"type":"url"}', b',"source":{"type":"file"}'])
def test_an_image_block_without_its_image_is_refused(book: PriceBook, source: bytes) -> None:
    content = b'[{"type":"image"%b}]' % source
    assert claude(book, content=content) == ("price_unknown", "messages")


@pytest.mark.parametrize(
    ("more", "content", "bill"),
    [
        (b'"thinking":{"type":"enabled","budget_tokens":5000}', b'"hi"', 5_009 * 15_000_000),
        (b'"cache_control":{"type":"ephemeral","ttl":"1h"}', b'"hi"', 100 * HOUR_WRITE),
        (
            b'"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]',
            b'"hi"',
            3 * SEARCH + 10 * 200_000 * 3_000_000 + 10 * 9 * 15_000_000,
        ),
        (b'"tools":[{"type":"bash_20250124","name":"bash"}]', b'"hi"', 2_000 * HOUR_WRITE),
        (
            b"",
            b'[{"type":"image","source":{"type":"url","url":"https://x/a.png"}}]',
            4_784 * HOUR_WRITE,
        ),
        (
            b"",
            b'[{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}]',
            200_000 * HOUR_WRITE,
        ),
        (
            b"",
            b'[{"type":"tool_result","content":[{"type":"image","source":%b}]}]'
            % b'{"type":"file","file_id":"f"}',
            4_784 * HOUR_WRITE,
        ),
    ],
)
def test_what_is_known_in_anthropics_messages_is_held_in_full(
    book: PriceBook, more: bytes, content: bytes, bill: int
) -> None:
    held = claude(book, more, content)
    assert isinstance(held, int)
    assert held >= bill


def responses(book: PriceBook, more: bytes) -> object:
    body = b'{"model":"gpt-4o-mini","max_output_tokens":9,%b}' % more
    return judged(body, book, dialect=Dialect.OPENAI_RESPONSES)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        (b'"input":"hi","prompt":{"id":"p"}', "prompt"),
        (b'"input":"hi","background":true', "background"),
        (b'"input":"hi","max_tokens":9', "max_tokens"),
        (b'"input":"hi","tools":[{"type":"web_search"}]', "tools"),
        (b'"input":"hi","tools":[{"type":"file_search"}],"max_tool_calls":1', "tools"),
        (b'"input":[{"type":"message","role":"user","content":[{"type":"input_file"}]}]', "input"),
        (b'"input":[{"role":"user","content":[{"type":"input_image"}]}]', "input"),
        (b'"input":[{"type":"mcp_call","id":"m"}]', "input"),
        (b'"input":"hi","prompt_cache_options":{"ttl":"12h"}', "prompt_cache_options"),
    ],
)
def test_what_has_no_bound_in_openais_responses_is_refused(
    book: PriceBook, more: bytes, param: str
) -> None:
    assert responses(book, more) == ("price_unknown", param)


@pytest.mark.parametrize(
    ("more", "bill"),
    [
        (b'"input":"hi","previous_response_id":"r"', WINDOW * INPUT),
        (b'"input":"hi","conversation":"c"', WINDOW * INPUT),
        (b'"input":[{"type":"item_reference","id":"i"}]', WINDOW * INPUT),
        (b'"input":[{"type":"reasoning","id":"i","summary":[]}]', WINDOW * INPUT),
        (
            b'"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]',
            48_169 * INPUT,
        ),
        (
            b'"input":"hi","tools":[{"type":"web_search"}],"max_tool_calls":2',
            2 * SEARCH + 3 * WINDOW * INPUT + 3 * 9 * OUTPUT,
        ),
    ],
)
def test_what_is_known_in_openais_responses_is_held_in_full(
    book: PriceBook, more: bytes, bill: int
) -> None:
    held = responses(book, more)
    assert isinstance(held, int)
    assert held >= bill


def test_encrypted_reasoning_is_as_long_as_it_looks(book: PriceBook) -> None:
    more = b'"input":[{"type":"reasoning","id":"i","summary":[],"encrypted_content":"abc"}]'
    held = responses(book, more)
    assert isinstance(held, int)
    assert held < WINDOW * INPUT


def embeddings(book: PriceBook, more: bytes) -> object:
    return judged(
        b'{"model":"text-embedding-3-small",%b}' % more,
        book,
        model="text-embedding-3-small",
        dialect=Dialect.OPENAI_EMBEDDINGS,
    )


@pytest.mark.parametrize(
    "more",
    [b'"input":"a"', b'"input":["a","b"]', b'"input":[1,2]', b'"input":[[1],[2]],"dimensions":9'],
)
def test_embeddings_of_text_and_tokens_are_held(book: PriceBook, more: bytes) -> None:
    assert isinstance(embeddings(book, more), int)


@pytest.mark.parametrize(
    ("more", "param"),
    [(b'"input":[{"content":[]}]', "input"), (b'"input":"x","instructions":"y"', "instructions")],
)
def test_embeddings_of_anything_else_are_refused(book: PriceBook, more: bytes, param: str) -> None:
    assert embeddings(book, more) == ("price_unknown", param)
