"""Answers piece by piece: what stands where, and what a strange provider may send."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from dialect_replies import chunk, stream
from dialect_samples import HELLO, Json, raw
from dialect_values import CHAT, GEMINI, HEAD, MESSAGES, RESPONSES

from tokonomi.dialects import translate
from tokonomi.dialects.answer import (
    Answer,
    Cited,
    ErrorKind,
    Event,
    Failed,
    Failure,
    Finished,
    ReasoningBegun,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    TextBegun,
    TextDelta,
    ToolBegun,
    assembled,
    events_of,
)
from tokonomi.dialects.anthropic_messages import errors as anthropic_errors
from tokonomi.dialects.conversation import (
    Citation,
    Image,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from tokonomi.dialects.destination import Destination, EgressName, IngressName, Outgoing
from tokonomi.dialects.dialect import EGRESS, INGRESS
from tokonomi.dialects.gemini import errors as gemini_errors
from tokonomi.dialects.reasoning import ANTHROPIC, GOOGLE, OPENAI, effort_of, seal, unsealed
from tokonomi.usage import Usage

NAMES: list[IngressName] = ["openai_chat", "openai_responses", "anthropic_messages"]
SOURCE = Citation("https://a.example", "A")


def written(name: IngressName, *events: Event) -> str:
    writer = INGRESS[name].writer(HEAD)
    return b"".join([*map(writer.write, events), writer.finish(None)]).decode()


def read(name: EgressName, *events: Mapping[str, object]) -> Answer:
    reader = EGRESS[name].reader()
    return assembled(e for data in stream(*events) for e in reader.feed(data)).answer()


def test_a_source_without_a_text_begins_one() -> None:
    assert assembled([Cited(SOURCE)]).answer().parts == (Text("", (SOURCE,)),)
    late = [TextDelta("x"), ToolBegun("c", "f"), Cited(SOURCE)]
    assert assembled(late).answer().parts == (Text("x", (SOURCE,)), ToolCall("c", "f", ""))
    for name in NAMES:
        assert "https://a.example" in written(name, Cited(SOURCE))
        assert "https://a.example" in written(name, *late)


def test_an_answer_holds_no_parts_of_a_request() -> None:
    image = Answer(parts=(Image("u"),))
    with pytest.raises(AssertionError, match="Image is no part of an answer"):
        list(events_of(image))
    with pytest.raises(AssertionError, match="Image is no part of an answer"):
        INGRESS["anthropic_messages"].write_whole(image, None, HEAD)


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_among_the_events_ends_a_stream_with_an_error(name: IngressName) -> None:
    said = (
        INGRESS[name].writer(HEAD).write(Failed(Failure(429, "rate_limit", "Slow down", "", "n")))
    )
    assert b"Slow down" in said
    assert assembled([Failed(Failure(429, "rate_limit", "Slow down"))]).failure is not None


def test_a_failed_response_names_one_of_openais_codes() -> None:
    codes: dict[ErrorKind, str] = {
        "rate_limit": "rate_limit_exceeded",
        "overloaded": "server_error",
    }
    for kind, code in codes.items():
        writer = INGRESS["openai_responses"].writer(HEAD)
        writer.write(TextDelta("half"))
        said = writer.fail(Failure(429, kind, "x")).decode()
        assert f'"error":{{"code":"{code}","message":"x"}}' in said
        assert '"text":"half"' in said


def test_refused_answers_say_so_in_every_dialect() -> None:
    answer = Answer("a", "m", 1, (Refusal("No."),), "stop")
    message = msgspec.json.decode(INGRESS["anthropic_messages"].write_whole(answer, None, HEAD))
    assert (message["stop_reason"], message["content"][0]["text"]) == ("refusal", "No.")
    said = written("anthropic_messages", RefusalDelta("N"), RefusalDelta("o."), Finished("stop"))
    assert '"stop_reason":"refusal"' in said
    chat = msgspec.json.decode(INGRESS["openai_chat"].write_whole(answer, None, HEAD))
    assert chat["choices"][0]["message"]["refusal"] == "No."
    assert '"response.refusal.done"' in written("openai_responses", RefusalDelta("No."))


def test_searches_are_told_to_clients_of_messages() -> None:
    usage = Usage(at=datetime(2026, 11, 1, tzinfo=UTC), searches=2, cache_write_1h=3)
    body = msgspec.json.decode(
        INGRESS["anthropic_messages"].write_whole(Answer(finish="stop"), usage, HEAD)
    )
    assert body["usage"]["server_tool_use"]["web_search_requests"] == 2
    assert body["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 3


def test_reasoning_of_another_maker_is_sealed_for_the_way_back() -> None:
    pieces = (
        Reasoning("text", "x"),
        Reasoning("text", "x", "s", ANTHROPIC),
        Reasoning("summary", "x", "", GOOGLE),
        Reasoning("encrypted", "d", "", GOOGLE, "call:1"),
        Reasoning("text", "x", "s", "xai-responses-v1", "a"),
        Reasoning("summary", "x"),
        Reasoning("encrypted", "d", "", OPENAI, "rs_1"),
    )
    for piece in pieces:
        for own in (ANTHROPIC, OPENAI):
            text = "" if piece.kind == "encrypted" else piece.text
            assert unsealed(text, seal(piece, own), own) == piece
    events = [
        ReasoningBegun("encrypted", GOOGLE, "c"),
        ReasoningDelta("da"),
        ReasoningDelta("ta"),
        ReasoningBegun("text", "xai-responses-v1"),
        ReasoningDelta("x"),
        ReasoningSigned("s", "xai-responses-v1"),
        TextDelta("y"),
    ]
    assert "google-gemini-v1:encrypted:c:data" in written("anthropic_messages", *events)
    assert "xai-responses-v1:text::s" in written("openai_responses", *events)
    assert '"data":"da"' in written("openai_chat", *events)


def test_a_budget_is_the_least_effort_that_reaches_it() -> None:
    budgets = {0: "none", 1: "low", 1025: "medium", 8193: "high", 24577: "xhigh"}
    assert {budget: effort_of(Thinking(budget=budget)) for budget in budgets} == budgets
    assert effort_of(Thinking("max", 1)) == "max"


def test_an_error_that_cannot_be_read_is_still_an_error() -> None:
    for read_error in (anthropic_errors.failure_of, gemini_errors.failure_of):
        failure = read_error(b"3")
        assert (failure.status, failure.kind) == (502, "server")


def test_a_text_that_begins_again_is_a_piece_of_its_own() -> None:
    answer = assembled([TextBegun(), TextDelta("a"), TextBegun(), TextDelta("b")]).answer()
    assert answer.parts == (Text("a"), Text("b"))
    ends: dict[IngressName, str] = {
        "anthropic_messages": '"type":"content_block_stop"',
        "openai_responses": '"type":"response.output_text.done"',
    }
    for name, end in ends.items():
        said = written(name, TextBegun(), TextDelta("a"), TextBegun(), TextDelta("b"))
        assert said.count(end) == 2


def test_gemini_calls_without_arguments_and_thoughts_without_text_are_read() -> None:
    parts: list[Json] = [
        {"text": "", "thought": True},
        {"functionCall": {"name": "now", "id": "g-1", "args": {}}},
        {"text": ""},
        {"text": "x", "thoughtSignature": "c2ln"},
    ]
    grounding: Json = {
        "groundingChunks": [{"maps": {}}, {"web": {"title": "no address"}}],
        "groundingSupports": [{"groundingChunkIndices": [0, 1, 7]}],
    }
    reply: Json = {
        "candidates": [
            {"content": {"parts": parts}, "finishReason": "STOP", "groundingMetadata": grounding}
        ]
    }
    empty: Json = {"candidates": [{}]}
    assert read("gemini", empty, reply).parts == (
        Reasoning("summary", "", "", GOOGLE),
        ToolCall("g-1", "now", ""),
        Text("x"),
        Reasoning("encrypted", "c2ln", "", GOOGLE),
    )


def test_signatures_of_texts_go_back_to_gemini_after_the_text() -> None:
    detail = {"type": "reasoning.encrypted", "data": "c2ln", "format": GOOGLE}
    turn = {"role": "assistant", "content": "x", "reasoning_details": [detail]}
    body: Json = {"messages": [{"role": "user", "content": "x"}, turn]}
    sent = translate.request("openai_chat", raw(body), GEMINI)
    assert isinstance(sent, Outgoing)
    assert msgspec.json.decode(sent.body)["contents"][1]["parts"] == [
        {"text": "x"},
        {"text": "", "thoughtSignature": "c2ln"},
    ]
    assert sent.dropped == ()


def test_reasoning_goes_back_to_deepseek_as_its_content() -> None:
    to = Destination(dialect="openai_chat", model="deepseek-chat", provider="deepseek")
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "x"},
    ]
    for content, wanted in ((blocks, "Hm."), (blocks[1:], None), (blocks[2:], None)):
        turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": content}]
        sent = translate.request("anthropic_messages", raw({"messages": turns}), to)
        assert isinstance(sent, Outgoing)
        turn = msgspec.json.decode(sent.body)["messages"][1]
        assert turn.get("reasoning_content") == wanted


def test_plain_servers_get_calls_without_arguments_and_empty_results() -> None:
    calls = [{"id": "c:1", "function": {"name": "now"}}]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c:1", "content": ""},
    ]
    sent = translate.request("openai_chat", raw({"messages": turns}), MESSAGES)
    assert isinstance(sent, Outgoing)
    assert msgspec.json.decode(sent.body)["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c_1", "name": "now", "input": {}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c_1"}]},
    ]
    other = translate.request("openai_chat", raw({"messages": turns}), RESPONSES)
    assert isinstance(other, Outgoing)
    assert msgspec.json.decode(other.body)["input"][1:] == [
        {"type": "function_call", "call_id": "c:1", "name": "now", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c:1", "output": ""},
    ]


def test_refusals_of_earlier_turns_are_text_where_there_is_no_other_form() -> None:
    turn = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    body = {"messages": [{"role": "user", "content": "x"}, turn]}
    for to in (MESSAGES, GEMINI):
        sent = translate.request("openai_chat", raw(body), to)
        assert isinstance(sent, Outgoing)
        assert b'"text":"No."' in sent.body
    again = translate.request("openai_chat", raw(body), RESPONSES)
    assert isinstance(again, Outgoing)
    assert b'{"type":"refusal","refusal":"No."}' in again.body


def test_a_tool_without_parameters_takes_none() -> None:
    tools = {"tools": [{"type": "function", "function": {"name": "now"}}]}
    for to, wanted in (
        (MESSAGES, b'"input_schema":{"type":"object","properties":{}}'),
        (GEMINI, b'"functionDeclarations":[{"name":"now"}]'),
        (RESPONSES, b'"parameters":null,"strict":false'),
    ):
        sent = translate.request("openai_chat", raw({**HELLO["openai_chat"], **tools}), to)
        assert isinstance(sent, Outgoing)
        assert wanted in sent.body
    bare = translate.request(
        "anthropic_messages", raw({**HELLO["anthropic_messages"], "tools": [{"name": "now"}]}), CHAT
    )
    assert isinstance(bare, Outgoing)
    assert b'"function":{"name":"now"}' in bare.body


def test_responses_say_their_odd_ends_and_items() -> None:
    begun = {"type": "response.created", "response": {"id": "r"}}
    text = {"type": "response.output_text.delta", "delta": "x"}
    content = {"type": "response.content_part.added", "part": {"type": "reasoning_text"}}
    thought = {"type": "response.reasoning_text.delta", "delta": "h", "item_id": "rs"}
    cut = {
        "type": "response.incomplete",
        "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    }
    answer = read("openai_responses", begun, content, thought, text, cut)
    assert answer.parts == (Reasoning("text", "h", "", OPENAI, "rs"), Text("x"))
    assert answer.finish == "length"
    reader = EGRESS["openai_responses"].reader()
    assert list(reader.feed(b"[DONE]")) == []
    output = [
        {"type": "reasoning", "id": "rs", "content": [{"text": "h"}]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "No."}, {"type": "odd"}]},
        {"type": "message", "content": [{"type": "output_text", "annotations": [{"type": "x"}]}]},
        {"type": "function_call", "id": "fc", "name": "now"},
    ]
    body = msgspec.json.encode({"id": "r", "status": "completed", "output": output})
    whole = assembled(EGRESS["openai_responses"].reader().whole(body)).answer()
    assert whole.parts == (
        Reasoning("text", "h", "", OPENAI, "rs"),
        Refusal("No."),
        Text(""),
        ToolCall("fc", "now", ""),
    )
    error = msgspec.json.encode(
        {"type": "error", "error": {"message": "m", "code": "server_error"}}
    )
    assert list(reader.feed(error)) == [Failed(Failure(502, "server", "m", "server_error"))]


def test_a_call_that_goes_on_after_a_text_is_an_error_and_reasoning_after_a_call_is_not() -> None:
    begun = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}
    more = chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})
    for between in ({"content": "x"}, {"reasoning": "x"}, {"refusal": "x"}):
        translator = translate.StreamTranslator("openai_responses", "openai_chat", HEAD)
        for data in stream(chunk({"tool_calls": [begun]}), chunk(between)):
            translator.feed(data)
        assert translator.failure is None
        translator.feed(stream(more)[0])
        assert translator.failure is not None
    reader = EGRESS["openai_chat"].reader()
    said = stream(
        chunk({"reasoning": "a"}), chunk({"tool_calls": [begun]}), chunk({"reasoning": "b"})
    )
    parts = assembled(event for data in said for event in reader.feed(data)).answer().parts
    assert [type(part) for part in parts] == [Reasoning, ToolCall, Reasoning]
