"""What cannot be carried is refused by the name that the client knows, before anything is sent."""

import msgspec
import pytest
from dialect_samples import Json, raw
from dialect_values import CHAT, GEMINI, MESSAGES, RESPONSES

from tokonomi.dialects import translate
from tokonomi.dialects.destination import Destination, IngressName
from tokonomi.dialects.refusal import Untranslatable

TO: dict[IngressName, Destination] = {
    "openai_chat": MESSAGES,
    "anthropic_messages": CHAT,
    "openai_responses": CHAT,
}


def refusal(ingress: IngressName, body: Json, to: Destination | None = None) -> Untranslatable:
    outcome = translate.request(ingress, raw(body), to or TO[ingress])
    assert isinstance(outcome, Untranslatable), outcome
    return outcome


def user(*parts: Json) -> Json:
    return {"messages": [{"role": "user", "content": [*parts]}]}


def turn(**fields: object) -> Json:
    return {"messages": [{"role": "user", "content": "x"}, {**fields}]}


CHAT_BODIES: list[tuple[str, Json]] = [
    ("messages", {"messages": "x"}),
    ("messages[0]", {"messages": ["x"]}),
    ("messages[0].role", {"messages": [{"content": "x"}]}),
    ("messages[0].role", {"messages": [{"role": "function", "content": "x"}]}),
    ("messages[0].name", {"messages": [{"role": "user", "content": "x", "name": "ani"}]}),
    ("messages[0].content", {"messages": [{"role": "user", "content": 3}]}),
    ("messages[0].content[0].type", user({"text": "x"})),
    ("messages[0].content[0]", user({"type": "input_audio", "input_audio": {"data": ""}})),
    ("messages[0].content[0].image_url.url", user({"type": "image_url", "image_url": {}})),
    ("messages[0].content[0].file.file_id", user({"type": "file", "file": {"file_id": "f"}})),
    ("messages[0].content[0].zzz", user({"type": "text", "text": "x", "zzz": 1})),
    (
        "messages[0].content[0].cache_control.ttl",
        user({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "9h"}}),
    ),
    (
        "messages[0].content",
        {
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "image_url", "image_url": {"url": "https://a.example"}}],
                }
            ]
        },
    ),
    ("messages[1].audio", turn(role="assistant", content="x", audio={"id": "a"})),
    ("messages[1].function_call", turn(role="assistant", function_call={"name": "f"})),
    (
        "messages[1].reasoning_details[0]",
        turn(role="assistant", reasoning_details=[{"type": "reasoning.odd"}]),
    ),
    (
        "messages[1].tool_calls[0].type",
        turn(role="assistant", tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "f"}}]),
    ),
    (
        "messages[1]",
        turn(
            role="assistant",
            tool_calls=[{"id": "c", "function": {"name": "f", "arguments": "[1]"}}],
        ),
    ),
    ("messages[1].tool_call_id", turn(role="tool", content="x")),
    ("tools[0]", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
    ("tools[0].function.name", {"tools": [{"type": "function"}]}),
    ("tool_choice.type", {"tool_choice": "maybe"}),
    ("tool_choice.type", {"tool_choice": {"type": "allowed_tools"}}),
    ("response_format.type", {"response_format": {"type": "grammar"}}),
    ("reasoning_effort", {"reasoning_effort": "huge"}),
    ("reasoning.zzz", {"reasoning": {"zzz": 1}}),
    ("plugins[0].id", {"plugins": [{"id": "file-parser"}]}),
    ("stop", {"stop": [1]}),
    ("temperature", {"temperature": "hot"}),
    ("temperature", {"temperature": 1.5}),
    ("max_tokens", {"max_tokens": 1.5}),
    ("stream", {"stream": "yes"}),
    ("service_tier", {"service_tier": "flex"}),
    ("service_tier", {"service_tier": "scale"}),
    ("metadata.a", {"metadata": {"a": 1}}),
    ("seed", {"seed": 1}),
    ("frequency_penalty", {"frequency_penalty": 0.5}),
    ("verbosity", {"verbosity": "low"}),
    ("n", {"n": 2}),
    ("n", {"n": True}),
    ("logprobs", {"logprobs": True}),
    ("top_logprobs", {"top_logprobs": 3}),
    ("logit_bias", {"logit_bias": {"1": 1}}),
    ("audio", {"audio": {"voice": "x"}}),
    ("modalities", {"modalities": ["text", "audio"]}),
    ("store", {"store": True}),
    ("provider", {"provider": {"order": ["a"]}}),
]
MESSAGES_BODIES: list[tuple[str, Json]] = [
    ("messages[0].role", {"messages": [{"role": "tool", "content": "x"}]}),
    ("messages[0].zzz", {"messages": [{"role": "user", "content": "x", "zzz": 1}]}),
    ("system", {"system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}),
    ("messages[0].content[0]", user({"type": "search_result", "content": []})),
    (
        "messages[0].content[0].source",
        user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
    ),
    (
        "messages[0].content[0].source",
        user({"type": "document", "source": {"type": "content", "content": "x"}}),
    ),
    (
        "messages[0].content[0].citations",
        user(
            {
                "type": "document",
                "source": {"type": "text", "data": "x"},
                "citations": {"enabled": True},
            }
        ),
    ),
    (
        "messages[0].content[0].content",
        user(
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [{"type": "thinking", "thinking": "x", "signature": ""}],
            }
        ),
    ),
    ("messages[0].content[0].input", user({"type": "tool_use", "id": "t", "input": 3})),
    ("tools[0]", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
    ("tools[0].input_schema", {"tools": [{"name": "f", "input_schema": 3}]}),
    ("tool_choice.type", {"tool_choice": {"type": "some"}}),
    ("thinking.type", {"thinking": {"type": "between_tools"}}),
    ("thinking.display", {"thinking": {"type": "adaptive", "display": "loud"}}),
    ("output_config.zzz", {"output_config": {"effort": "low", "zzz": 1}}),
    ("output_config.effort", {"output_config": {"effort": "tiny"}}),
    ("metadata.zzz", {"metadata": {"user_id": "a", "zzz": 1}}),
    ("service_tier", {"service_tier": "batch"}),
    ("mcp_servers", {"mcp_servers": [{"url": "u"}]}),
    ("container", {"container": "c"}),
    ("speed", {"speed": "fast"}),
    ("betas", {"betas": ["x"]}),
]


def items(*found: Json) -> Json:
    return {"input": [*found]}


RESPONSES_BODIES: list[tuple[str, Json]] = [
    ("previous_response_id", {"previous_response_id": "r"}),
    ("conversation", {"conversation": "c"}),
    ("background", {"background": True}),
    ("prompt", {"prompt": {"id": "p"}}),
    ("include", {"include": ["message.output_text.logprobs"]}),
    ("truncation", {"truncation": "auto"}),
    ("input", {"input": 3}),
    ("input[0]", items({"type": "item_reference", "id": "x"})),
    ("input[0].role", items({"role": "critic", "content": "x"})),
    ("input[0].zzz", items({"role": "user", "content": "x", "zzz": 1})),
    ("input[0].content[0]", items({"role": "user", "content": [{"type": "input_audio"}]})),
    (
        "input[0].content[0].file_id",
        items({"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}),
    ),
    (
        "input[0].content[0]",
        items({"role": "user", "content": [{"type": "input_file", "filename": "f"}]}),
    ),
    (
        "input[0].content[0].annotations[0]",
        items(
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "x",
                        "annotations": [{"type": "file_citation"}],
                    }
                ],
            }
        ),
    ),
    (
        "input[0].output",
        items(
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "refusal", "refusal": "x"}],
            }
        ),
    ),
    ("input[0].call_id", items({"type": "function_call", "name": "f"})),
    ("tools[0]", {"tools": [{"type": "file_search"}]}),
    (
        "tools[0].external_web_access",
        {"tools": [{"type": "web_search", "external_web_access": False}]},
    ),
    (
        "tools[0].user_location.zzz",
        {"tools": [{"type": "web_search", "user_location": {"zzz": 1}}]},
    ),
    ("tool_choice.type", {"tool_choice": {"type": "mcp", "name": "x"}}),
    ("text.format.type", {"text": {"format": {"type": "grammar"}}}),
    ("text.zzz", {"text": {"zzz": 1}}),
    ("reasoning.context", {"reasoning": {"context": "all_turns"}}),
]
CASES = [
    *(("openai_chat", path, body) for path, body in CHAT_BODIES),
    *(("anthropic_messages", path, body) for path, body in MESSAGES_BODIES),
    *(("openai_responses", path, body) for path, body in RESPONSES_BODIES),
]


@pytest.mark.parametrize(("ingress", "path", "body"), CASES)
def test_a_request_is_refused_by_the_path_of_what_stands_in_the_way(
    ingress: IngressName, path: str, body: Json
) -> None:
    hello: dict[IngressName, Json] = {
        "openai_chat": user({"type": "text", "text": "x"}),
        "anthropic_messages": user({"type": "text", "text": "x"}),
        "openai_responses": {"input": "x"},
    }
    stopped = refusal(ingress, {**hello[ingress], **body})
    assert stopped.path == path
    assert stopped.why
    assert stopped.remedy.endswith(".")
    assert str(stopped) == f"`{stopped.path}` {stopped.why}. {stopped.remedy}"


def test_what_one_destination_cannot_say_another_may() -> None:
    pairs: list[tuple[Json, Destination, str]] = [
        ({"stop": "END"}, RESPONSES, "stop"),
        ({"seed": 1}, RESPONSES, "seed"),
        ({"top_k": 1}, RESPONSES, "top_k"),
        ({"verbosity": "low"}, GEMINI, "verbosity"),
        ({"service_tier": "flex"}, GEMINI, "service_tier"),
    ]
    for fields, to, path in pairs:
        assert refusal("openai_chat", {**user(), **fields}, to).path == path
    harmless: list[tuple[Json, Destination]] = [
        ({"frequency_penalty": 0}, MESSAGES),
        ({"presence_penalty": 0.0}, RESPONSES),
        ({"service_tier": "auto"}, GEMINI),
        ({"n": 1, "logprobs": False, "logit_bias": {}, "modalities": ["text"]}, MESSAGES),
    ]
    for fields, to in harmless:
        sent = translate.request("openai_chat", raw({**user(), **fields}), to)
        assert not isinstance(sent, Untranslatable)
        assert {each.path for each in sent.dropped} == set(fields)
    top_k = {**user({"type": "text", "text": "x"}), "top_k": 4}
    openai = Destination(dialect="openai_chat", model="m", provider="openai")
    own = Destination(dialect="openai_chat", model="m")
    assert refusal("anthropic_messages", top_k, openai).path == "top_k"
    kept = translate.request("anthropic_messages", raw(top_k), own)
    assert not isinstance(kept, Untranslatable)


def test_instructions_in_the_middle_are_refused_by_gemini_and_taken_by_others() -> None:
    body: Json = {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "system", "content": "Be brief."},
        ]
    }
    assert refusal("openai_chat", body, GEMINI).path == "messages[1]"
    sent = translate.request("openai_chat", raw(body), MESSAGES)
    assert not isinstance(sent, Untranslatable)
    assert msgspec.json.decode(sent.body)["messages"][1] == {
        "role": "system",
        "content": [{"type": "text", "text": "Be brief."}],
    }


def test_a_result_without_its_call_is_refused_where_the_name_of_the_tool_is_needed() -> None:
    body: Json = {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}
    stopped = refusal("openai_chat", body, GEMINI)
    assert (stopped.path, '"c"' in stopped.why) == ("messages[0]", True)


TOOL_USE: Json = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
PICTURE: Json = {"type": "image", "source": {"type": "url", "url": "https://a.example"}}
MISPLACED: list[tuple[IngressName, Json, str, str]] = [
    ("anthropic_messages", user(TOOL_USE), "messages[0]", "tool call"),
    (
        "anthropic_messages",
        user({"type": "thinking", "thinking": "x", "signature": ""}),
        "messages[0]",
        "reasoning",
    ),
    ("anthropic_messages", turn(role="assistant", content=[PICTURE]), "messages[1]", "image"),
    (
        "anthropic_messages",
        turn(role="assistant", content=[{"type": "tool_result", "tool_use_id": "c"}]),
        "messages[1]",
        "tool result",
    ),
    (
        "openai_responses",
        {"input": [{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}]},
        "input[0]",
        "refusal",
    ),
    (
        "openai_responses",
        {
            "input": [
                {
                    "role": "assistant",
                    "content": [{"type": "input_image", "image_url": "https://a.example"}],
                }
            ]
        },
        "input[0]",
        "image",
    ),
]


@pytest.mark.parametrize(("ingress", "body", "path", "what"), MISPLACED)
def test_a_part_in_a_turn_of_another_role_is_refused_wherever_it_goes(
    ingress: IngressName, body: Json, path: str, what: str
) -> None:
    for to in (CHAT, MESSAGES, RESPONSES, GEMINI):
        if to.dialect != ingress:
            found = refusal(ingress, body, to)
            assert found.path == path
            assert found.why.endswith(f"where no {what} can stand")
            assert found.remedy.startswith("Put it into a turn of the role ")


def test_a_value_that_is_no_json_is_refused_by_its_name() -> None:
    for bad in (b"{", b'"\xff"', b"[" * 100_000):
        outcome = translate.request("openai_chat", {"messages": msgspec.Raw(bad)}, MESSAGES)
        assert isinstance(outcome, Untranslatable)
        assert (outcome.path, outcome.why) == ("messages", "cannot be read as JSON")


def test_the_same_dialect_is_never_touched() -> None:
    with pytest.raises(AssertionError, match="byte for byte"):
        translate.request("openai_chat", raw({"messages": []}), CHAT)
