"""Requests as clients send them, carried into every other dialect."""

from pathlib import Path

import msgspec
import pytest
from dialect_samples import CHAT_REQUEST, HELLO, MESSAGES_REQUEST, RESPONSES_REQUEST, Json, raw
from dialect_values import CHAT, GEMINI, MESSAGES, RESPONSES

from tokonomi.dialects import translate
from tokonomi.dialects.addresses import key_headers, path_of
from tokonomi.dialects.destination import Destination, IngressName, Outgoing
from tokonomi.dialects.refusal import Dropped, Untranslatable
from tokonomi.dialects.web_search import (
    SearchSettings,
    asks_for_search,
    searching_fields,
)

WRITTEN = Path(__file__).parent / "written"
OPENAI_CHAT = Destination(dialect="openai_chat", model="gpt-5.1", provider="openai")
OWN_SERVER = Destination(dialect="openai_chat", model="llama")
CASES: dict[str, tuple[IngressName, Json, Destination]] = {
    "chat-to-messages": ("openai_chat", CHAT_REQUEST, MESSAGES),
    "chat-to-gemini": ("openai_chat", CHAT_REQUEST, GEMINI),
    "chat-to-responses": (
        "openai_chat",
        {name: value for name, value in CHAT_REQUEST.items() if name != "stop"},
        RESPONSES,
    ),
    "messages-to-openrouter": ("anthropic_messages", MESSAGES_REQUEST, CHAT),
    "messages-to-openai-chat": ("anthropic_messages", MESSAGES_REQUEST, OPENAI_CHAT),
    "messages-to-gemini": ("anthropic_messages", MESSAGES_REQUEST, GEMINI),
    "messages-to-responses": ("anthropic_messages", MESSAGES_REQUEST, RESPONSES),
    "responses-to-openrouter": ("openai_responses", RESPONSES_REQUEST, CHAT),
    "responses-to-messages": ("openai_responses", RESPONSES_REQUEST, MESSAGES),
    "responses-to-gemini": ("openai_responses", RESPONSES_REQUEST, GEMINI),
}


def sent(ingress: IngressName, to: Destination, **fields: object) -> Json:
    outgoing = translate.request(ingress, raw({**HELLO[ingress], **fields}), to)
    assert isinstance(outgoing, Outgoing), outgoing
    return msgspec.json.decode(outgoing.body)


def dropped(ingress: IngressName, to: Destination, **fields: object) -> list[str]:
    outgoing = translate.request(ingress, raw({**HELLO[ingress], **fields}), to)
    assert isinstance(outgoing, Outgoing), outgoing
    return [each.path for each in outgoing.dropped]


def refused(ingress: IngressName, to: Destination, **fields: object) -> Untranslatable:
    outcome = translate.request(ingress, raw({**HELLO[ingress], **fields}), to)
    assert isinstance(outcome, Untranslatable), outcome
    return outcome


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_carried_whole_into_the_providers_dialect(name: str) -> None:
    ingress, body, to = CASES[name]
    outgoing = translate.request(ingress, raw(body), to)
    assert isinstance(outgoing, Outgoing), outgoing
    written = {
        "path": outgoing.path,
        "dropped": [f"{each.path}: {each.reason}" for each in outgoing.dropped],
        "body": msgspec.json.decode(outgoing.body),
    }
    assert written == msgspec.json.decode((WRITTEN / f"{name}.json").read_bytes())


def test_the_limit_of_output_is_the_clients_or_the_destinations_but_never_above_the_hold() -> None:
    to = Destination(dialect="anthropic_messages", model="c", max_tokens=777)
    capped = Destination(dialect="anthropic_messages", model="c", max_tokens=777, output_limit=50)
    assert sent("openai_chat", to)["max_tokens"] == 777
    assert sent("openai_chat", to, max_tokens=9000)["max_tokens"] == 9000
    assert sent("openai_chat", capped, max_tokens=9000)["max_tokens"] == 50
    assert sent("openai_chat", capped)["max_tokens"] == 50
    assert "maxOutputTokens" not in sent("openai_chat", GEMINI).get("generationConfig", {})


def test_old_claudes_think_to_a_budget_and_new_ones_by_an_effort() -> None:
    old = Destination(dialect="anthropic_messages", model="claude-sonnet-4-5-20250929")
    new = Destination(dialect="anthropic_messages", model="claude-opus-4-7")
    asked = {"reasoning_effort": "high", "max_tokens": 10_000}
    assert sent("openai_chat", old, **asked)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 8000,
    }
    body = sent("openai_chat", new, **asked)
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    off = sent("openai_chat", new, reasoning_effort="none")
    assert off["thinking"] == {"type": "disabled"}
    hidden = {"reasoning": {"max_tokens": 3000, "exclude": True}, "max_tokens": 10_000}
    assert sent("openai_chat", old, **hidden)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 3000,
        "display": "omitted",
    }
    assert refused("openai_chat", old, reasoning_effort="low", max_tokens=1000).path == (
        "reasoning_effort"
    )


def test_old_geminis_think_to_a_budget_and_new_ones_to_a_level() -> None:
    old = Destination(dialect="gemini", model="gemini-2.5-flash")
    asked = {"thinking": {"type": "enabled", "budget_tokens": 5000}}
    assert sent("anthropic_messages", old, **asked)["generationConfig"]["thinkingConfig"] == {
        "thinkingBudget": 5000,
        "includeThoughts": True,
    }
    assert sent("anthropic_messages", GEMINI, **asked)["generationConfig"]["thinkingConfig"] == {
        "thinkingLevel": "medium",
        "includeThoughts": True,
    }
    off = sent("openai_chat", old, reasoning_effort="none")["generationConfig"]["thinkingConfig"]
    assert off == {"thinkingBudget": 0}


def test_reasoning_is_asked_for_in_each_providers_own_words() -> None:
    asked = {"thinking": {"type": "adaptive", "display": "omitted"}}
    effort = {"output_config": {"effort": "low"}}
    assert sent("anthropic_messages", CHAT, **asked)["reasoning"] == {
        "effort": "high",
        "exclude": True,
    }
    assert sent("anthropic_messages", OPENAI_CHAT, **asked, **effort)["reasoning_effort"] == "low"
    assert dropped("anthropic_messages", OPENAI_CHAT, **asked) == ["thinking.shown"]
    body = sent("anthropic_messages", RESPONSES, thinking={"type": "enabled", "budget_tokens": 99})
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert sent("anthropic_messages", RESPONSES, **effort)["reasoning"] == {"effort": "low"}
    assert "include" not in sent("openai_chat", RESPONSES, reasoning_effort="none")
    on = {"reasoning": {"enabled": True}}
    assert sent("openai_chat", RESPONSES, **on)["reasoning"] == {"effort": "medium"}
    assert sent("openai_chat", RESPONSES, reasoning={"enabled": False})["reasoning"] == {
        "effort": "none"
    }
    assert sent("openai_responses", OPENAI_CHAT, reasoning={"effort": "xhigh"})[
        "reasoning_effort"
    ] == ("xhigh")


def test_json_by_a_schema_is_asked_for_in_each_dialect() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    named = {"name": "thing", "schema": schema, "strict": True}
    chat = {"response_format": {"type": "json_schema", "json_schema": named}}
    responses = {"text": {"format": {"type": "json_schema", **named}, "verbosity": "low"}}
    messages = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    assert sent("openai_chat", MESSAGES, **chat)["output_config"] == messages["output_config"]
    assert sent("openai_chat", GEMINI, **chat)["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert sent("openai_chat", RESPONSES, **chat, verbosity="low")["text"] == responses["text"]
    assert sent("openai_responses", CHAT, **responses)["response_format"] == chat["response_format"]
    older = {"output_format": messages["output_config"]["format"]}
    for form in (messages, older):
        assert sent("anthropic_messages", CHAT, **form)["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema},
        }
    any_json = {"response_format": {"type": "json_object"}}
    assert sent("openai_chat", GEMINI, **any_json)["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    assert sent("openai_chat", RESPONSES, **any_json)["text"] == {"format": {"type": "json_object"}}
    assert refused("openai_chat", MESSAGES, **any_json).path == "response_format"
    assert "text" not in sent("openai_chat", RESPONSES, response_format={"type": "text"})


@pytest.mark.parametrize(
    ("choice", "messages", "gemini", "responses"),
    [
        ("none", {"type": "none"}, {"mode": "NONE"}, "none"),
        ("required", {"type": "any"}, {"mode": "ANY"}, "required"),
        ("auto", {"type": "auto"}, {"mode": "AUTO"}, "auto"),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"type": "tool", "name": "weather"},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
            {"type": "function", "name": "weather"},
        ),
    ],
)
def test_the_choice_of_tools_is_carried(
    choice: object, messages: object, gemini: object, responses: object
) -> None:
    fields = {"tools": CHAT_REQUEST["tools"], "tool_choice": choice}
    assert sent("openai_chat", MESSAGES, **fields)["tool_choice"] == messages
    calling = sent("openai_chat", GEMINI, **fields)["toolConfig"]
    assert calling == {"functionCallingConfig": gemini}
    assert sent("openai_chat", RESPONSES, **fields)["tool_choice"] == responses
    back = {"tools": MESSAGES_REQUEST["tools"], "tool_choice": messages}
    assert sent("anthropic_messages", CHAT, **back)["tool_choice"] == choice
    again = {"tools": RESPONSES_REQUEST["tools"], "tool_choice": responses}
    assert sent("openai_responses", CHAT, **again)["tool_choice"] == choice


def test_one_tool_at_a_time_is_carried_where_it_can_be_said() -> None:
    fields = {"tools": CHAT_REQUEST["tools"], "parallel_tool_calls": False}
    assert sent("openai_chat", MESSAGES, **fields)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    assert sent("openai_chat", RESPONSES, **fields)["parallel_tool_calls"] is False
    assert refused("openai_chat", GEMINI, **fields).path == "parallel_tool_calls"
    assert dropped("openai_chat", GEMINI, parallel_tool_calls=True) == ["parallel_tool_calls"]


def test_gemini_holds_strict_tools_to_their_schema() -> None:
    tools = RESPONSES_REQUEST["tools"]
    assert sent("openai_responses", GEMINI, tools=tools)["toolConfig"] == {
        "functionCallingConfig": {"mode": "VALIDATED"}
    }


SEARCHES: list[tuple[IngressName, Json]] = [
    ("openai_chat", {"web_search_options": {}}),
    ("openai_chat", {"plugins": [{"id": "web"}]}),
    ("openai_chat", {"model": "m:online"}),
    ("openai_responses", {"tools": [{"type": "web_search"}]}),
    ("anthropic_messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
]


@pytest.mark.parametrize(("ingress", "asking"), SEARCHES)
def test_a_web_search_is_asked_for_in_each_providers_own_way(
    ingress: IngressName, asking: Json
) -> None:
    named = Destination(
        dialect="openai_chat",
        model="a/model",
        provider="openrouter",
        search=SearchSettings("exa", 3),
    )
    ways: dict[Destination, tuple[str, object]] = {
        CHAT: ("model", "a/model:online"),
        named: ("plugins", [{"id": "web", "engine": "exa", "max_results": 3}]),
        OPENAI_CHAT: ("web_search_options", {}),
        RESPONSES: ("tools", [{"type": "web_search"}]),
        MESSAGES: ("tools", [{"type": "web_search_20250305", "name": "web_search"}]),
        GEMINI: ("tools", [{"googleSearch": {}}]),
    }
    for to, (field, value) in ways.items():
        if to.dialect != ingress:
            assert sent(ingress, to, **asking)[field] == value
    if ingress != "openai_chat":
        assert refused(ingress, OWN_SERVER, **asking).path == "tools"


def test_settings_of_a_search_are_carried_refused_or_dropped_by_name() -> None:
    place = {"type": "approximate", "city": "Bogor", "country": "ID"}
    tool = {"type": "web_search_20250305", "name": "web_search", "user_location": place}
    wide = {"tools": [{"type": "web_search", "search_context_size": "high"}], "max_tool_calls": 2}
    assert sent("anthropic_messages", OPENAI_CHAT, tools=[tool])["web_search_options"] == {
        "user_location": {
            "type": "approximate",
            "approximate": {"city": "Bogor", "country": "ID"},
        }
    }
    assert sent("anthropic_messages", RESPONSES, tools=[{**tool, "max_uses": 2}]) | {} == {
        **sent("anthropic_messages", RESPONSES, tools=[tool]),
        "max_tool_calls": 2,
    }
    assert dropped("openai_responses", GEMINI, tools=wide["tools"]) == ["tools.context_size"]
    assert dropped("openai_responses", MESSAGES, **wide) == ["tools.context_size"]
    assert dropped("openai_responses", CHAT, **wide) == ["tools.context_size"]
    assert sent("openai_responses", MESSAGES, **wide)["tools"] == [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    ]
    assert dropped("openai_responses", MESSAGES, max_tool_calls=2) == ["max_tool_calls"]
    for to in (GEMINI, OPENAI_CHAT):
        assert refused("openai_responses", to, **wide).path == "tools"
    limited = {"tools": [{**tool, "allowed_domains": ["a.example"]}]}
    assert refused("anthropic_messages", CHAT, **limited).path == "tools"
    assert sent("anthropic_messages", RESPONSES, **limited)["tools"] == [
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["a.example"]},
            "user_location": place,
        }
    ]
    blocking = {"tools": [{**tool, "blocked_domains": ["a.example"]}]}
    assert refused("anthropic_messages", RESPONSES, **blocking).path == "tools"
    plugin = {"plugins": [{"id": "web", "engine": "exa", "max_results": 3}]}
    lost = ["plugins.engine", "plugins.max_results"]
    assert dropped("openai_chat", RESPONSES, **plugin) == lost
    assert dropped("openai_chat", MESSAGES, **plugin) == lost
    assert dropped("openai_chat", GEMINI, **plugin) == lost


def test_a_chat_that_stays_a_chat_searches_as_its_target_does() -> None:
    asking = raw(
        {
            **HELLO["openai_chat"],
            "web_search_options": {"search_context_size": "low"},
            "plugins": [{"id": "file-parser"}, {"id": "web"}],
            "zzz": 1,
        }
    )
    assert asks_for_search(asking)
    assert asks_for_search(raw({"model": "a:online"}))
    assert not asks_for_search(raw({**HELLO["openai_chat"], "web_search_options": None}))
    assert not asks_for_search({"plugins": msgspec.Raw(b"3")})
    assert not asks_for_search(raw({"plugins": [{"id": "web", "enabled": False}]}))
    assert asks_for_search(raw({"tools": [{"type": "web_search_20250305"}]}))
    own = {"type": "function", "function": {"name": "web_search"}}
    assert not asks_for_search(raw({"tools": [own]}))
    fields = searching_fields(asking, "openai/gpt-5.1", SearchSettings())
    assert msgspec.json.decode(msgspec.json.encode(fields)) == {
        "model": "openai/gpt-5.1:online",
        "messages": HELLO["openai_chat"]["messages"],
        "plugins": [{"id": "file-parser"}],
        "zzz": 1,
    }
    assert bytes(fields["messages"]) == bytes(asking["messages"])
    chosen = searching_fields(raw(HELLO["openai_chat"]), "a:online", SearchSettings("exa", 3))
    assert bytes(chosen["model"]) == b'"a"'
    assert bytes(chosen["plugins"]) == b'[{"id":"web","engine":"exa","max_results":3}]'


def test_the_addresses_and_keys_of_each_provider() -> None:
    v1 = Destination(dialect="openai_responses", model="gpt 5", azure=True)
    dated = Destination(
        dialect="openai_chat", model="gpt 5", azure=True, azure_api_version="2025-04-01-preview"
    )
    assert path_of(v1, stream=True) == "/responses"
    assert path_of(dated, stream=True) == (
        "/openai/deployments/gpt%205/chat/completions?api-version=2025-04-01-preview"
    )
    assert path_of(GEMINI, stream=False) == "/models/gemini-3-pro:generateContent"
    assert key_headers(v1, "k") == (("api-key", "k"),)
    assert key_headers(GEMINI, "k") == (("x-goog-api-key", "k"),)
    assert key_headers(RESPONSES, "k") == (("authorization", "Bearer k"),)
    assert key_headers(MESSAGES, "k") == (("x-api-key", "k"), ("anthropic-version", "2023-06-01"))


def test_documents_go_where_they_can_be_read() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    link = {"type": "url", "url": "https://a.example/b.pdf"}
    note = {"type": "text", "media_type": "text/plain", "data": "A note."}

    def asked(source: dict[str, str]) -> Json:
        block = {"type": "document", "source": source, "title": "T"}
        return {"messages": [{"role": "user", "content": [block]}]}

    assert sent("anthropic_messages", CHAT, **asked(pdf))["messages"][0]["content"] == [
        {
            "type": "file",
            "file": {"filename": "T", "file_data": "data:application/pdf;base64,JVBE"},
        }
    ]
    assert sent("anthropic_messages", CHAT, **asked(note))["messages"][0]["content"] == [
        {"type": "text", "text": "T\n\nA note."}
    ]
    assert refused("anthropic_messages", CHAT, **asked(link)).path == "messages[0]"
    assert sent("anthropic_messages", RESPONSES, **asked(link))["input"][0]["content"] == [
        {"type": "input_file", "file_url": "https://a.example/b.pdf", "filename": "T"}
    ]
    assert sent("anthropic_messages", RESPONSES, **asked(pdf))["input"][0]["content"] == [
        {
            "type": "input_file",
            "file_data": "data:application/pdf;base64,JVBE",
            "filename": "T",
        }
    ]
    assert sent("anthropic_messages", RESPONSES, **asked(note))["input"][0]["content"] == [
        {"type": "input_text", "text": "T\n\nA note."}
    ]
    assert sent("anthropic_messages", GEMINI, **asked(link))["contents"][0]["parts"] == [
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://a.example/b.pdf"}}
    ]
    assert sent("anthropic_messages", GEMINI, **asked(note))["contents"][0]["parts"] == [
        {"text": "T\n\nA note."}
    ]


def test_markers_of_a_cache_are_carried_where_they_are_known() -> None:
    marked = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    part = {"type": "text", "text": "x"}
    whole = {"messages": [{"role": "user", "content": [part]}], **marked}
    assert sent("anthropic_messages", CHAT, **whole)["messages"][0]["content"] == [
        {**part, **marked}
    ]
    assert dropped("anthropic_messages", OPENAI_CHAT, **whole) == ["cache_control"]
    tool = {**CHAT_REQUEST["tools"][0], "cache_control": {"type": "ephemeral"}}
    assert sent("openai_chat", MESSAGES, tools=[tool])["tools"][0]["cache_control"] == {
        "type": "ephemeral"
    }
    assert dropped("openai_chat", RESPONSES, tools=[tool]) == ["cache_control"]
    assert dropped("openai_chat", GEMINI, tools=[tool]) == ["cache_control"]
    breakpoints = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {**part, "prompt_cache_breakpoint": {"mode": "explicit"}},
                    {**part, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
                ],
            }
        ]
    }
    content = sent("openai_chat", MESSAGES, **breakpoints)["messages"][0]["content"]
    assert content == [{**part, "cache_control": {"type": "ephemeral"}}, {**part, **marked}]


def test_the_same_dropped_field_is_listed_once() -> None:
    searched: list[Json] = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "x", "citations": [{"type": "char_location"}]},
    ]
    turns: list[Json] = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": searched},
    ]
    outgoing = translate.request("anthropic_messages", raw({"messages": turns}), CHAT)
    assert isinstance(outgoing, Outgoing)
    assert outgoing.dropped == (
        Dropped(
            "messages[1].content[0]",
            "the search was another provider's; what it found stands in the text",
        ),
        Dropped(
            "messages[1].content[1]",
            "the search was another provider's; what it found stands in the text",
        ),
        Dropped(
            "messages[1].content[2].citations[0]",
            "it cites a document, which other dialects cannot",
        ),
    )


def test_a_budget_stands_for_the_effort_beside_it() -> None:
    both = {"reasoning": {"effort": "low", "max_tokens": 9000}, "max_tokens": 20_000}
    old = Destination(dialect="anthropic_messages", model="claude-haiku-4-5")
    assert dropped("openai_chat", old, **both) == ["reasoning.effort"]
    assert sent("openai_chat", old, **both)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 9000,
    }
    enabled = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    effort = {"output_config": {"effort": "low"}}
    assert dropped("anthropic_messages", CHAT, **enabled, **effort) == ["output_config.effort"]
    disabled = {"thinking": {"type": "disabled"}}
    assert dropped("anthropic_messages", CHAT, **disabled, **effort) == ["output_config.effort"]
    assert sent("anthropic_messages", CHAT, **disabled)["reasoning"] == {"effort": "none"}


def test_what_was_searched_and_written_by_other_providers_is_left_in_the_text() -> None:
    items: list[Json] = [
        {"role": "user", "content": "x"},
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {}},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "y"}]},
    ]
    assert dropped("openai_responses", CHAT, input=items) == ["input[1]"]
    assert sent("openai_responses", CHAT, input=items)["messages"] == [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y"},
    ]


def test_a_document_in_a_chat_may_be_an_address() -> None:
    part = {"type": "file", "file": {"filename": "T", "file_data": "https://a.example/b.pdf"}}
    asked = {"messages": [{"role": "user", "content": [part]}]}
    assert sent("openai_chat", MESSAGES, **asked)["messages"][0]["content"] == [
        {
            "type": "document",
            "source": {"type": "url", "url": "https://a.example/b.pdf"},
            "title": "T",
        }
    ]
    plain = {"messages": [{"role": "assistant", "content": "y", "reasoning_content": "Hm."}]}
    assert dropped("openai_chat", MESSAGES, **plain) == ["messages[0].reasoning"]
