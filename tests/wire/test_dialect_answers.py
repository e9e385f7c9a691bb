"""Answers of providers, as official clients of another dialect receive them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import anthropic
import httpx2
import msgspec
import openai
import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from dialect_replies import OPENROUTER_STREAM, REPLIES, STREAMS, chunk, gemini, stream
from dialect_samples import RESPONSES_REQUEST, raw
from dialect_values import HEAD
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tokonomi.dialects import translate
from tokonomi.dialects.answer import Answer, Failure, Head, assembled
from tokonomi.dialects.conversation import Citation, Reasoning, Text, ToolCall
from tokonomi.dialects.destination import Destination, EgressName, IngressName, Outgoing
from tokonomi.dialects.dialect import EGRESS
from tokonomi.dialects.reasoning import ANTHROPIC, GOOGLE, OPENAI
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.server_sent_events import DONE, EventSplitter, data_of
from tokonomi.usage import Usage

USAGE = Usage(
    at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
    uncached_input=100,
    cache_read=40,
    cache_write_5m=20,
    output=70,
    reasoning=30,
)
PAIRS: Sequence[tuple[IngressName, EgressName]] = [
    (ingress, egress)
    for ingress in ("openai_chat", "openai_responses", "anthropic_messages")
    for egress in ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
    if ingress != egress
]
WEATHER = ToolCall("call_1", "weather", '{"city":"Bogor"}')
SOURCE = Citation("https://bmkg.example/bogor", "Bogor", 0, 4, "Hujan.")
SAID: dict[EgressName, Answer] = {
    "openai_chat": Answer(
        "gen-1",
        "anthropic/claude-sonnet-4.5",
        1790000000,
        (
            Reasoning("text", "Rainy.", "c2ln", ANTHROPIC),
            Text("Rain today.", (SOURCE,)),
            WEATHER,
            ToolCall("call_2", "weather", '{"city":"Depok"}'),
        ),
        "tool_calls",
    ),
    "anthropic_messages": Answer(
        "msg_01",
        "claude-opus-4-7",
        0,
        (
            Reasoning("text", "Rainy.", "c2ln", ANTHROPIC),
            Reasoning("encrypted", "ZGF0YQ", "", ANTHROPIC),
            Text("It rains: "),
            Text("hujan.", (Citation(SOURCE.url, "Bogor", 0, 6, "Hujan."),)),
            ToolCall("t_1", "weather", '{"city":"Bogor"}'),
        ),
        "tool_calls",
    ),
    "gemini": Answer(
        "r-1",
        "gemini-3-pro",
        0,
        (
            Reasoning("summary", "Rainy.", "", GOOGLE),
            Text("è: hujan lebat.", (Citation(SOURCE.url, "bmkg.example", 2, 12),)),
            Reasoning("encrypted", "c2ln", "", GOOGLE, "call_r-1_0"),
            ToolCall("call_r-1_0", "weather", '{"city":"Bogor"}'),
            ToolCall("call_r-1_1", "weather", '{"city":"Depok"}'),
        ),
        "tool_calls",
    ),
    "openai_responses": Answer(
        "resp_1",
        "gpt-5.1",
        1790000000,
        (
            Reasoning("summary", "Rainy.", "", OPENAI, "rs_1"),
            Reasoning("encrypted", "gAAAAB", "", OPENAI, "rs_1"),
            Text("Rain today.", (Citation(SOURCE.url, "Bogor", 0, 4),)),
            WEATHER,
        ),
        "tool_calls",
    ),
}


def whole(ingress: IngressName, egress: EgressName) -> bytes:
    body = msgspec.json.encode(REPLIES[egress])
    written = translate.reply(ingress, egress, body, usage=USAGE, head=HEAD)
    assert isinstance(written, bytes)
    return written


def streamed(ingress: IngressName, egress: EgressName, head: Head = HEAD) -> bytes:
    translator = translate.StreamTranslator(ingress, egress, head)
    said = b"".join(map(translator.feed, STREAMS[egress]))
    assert translator.finished
    assert translator.content_begun
    return said + translator.finish(USAGE)


def events(said: bytes) -> Iterator[dict[str, object]]:
    for event in EventSplitter().feed(said):
        if (data := data_of(event)) != DONE:
            yield msgspec.json.decode(data, type=dict[str, object])


def http(answer: bytes, status: int = 200) -> httpx2.Client:
    """A connection on which the answer comes, whatever is asked."""
    kind = "text/event-stream" if answer.startswith((b"data:", b"event:")) else "application/json"

    def respond(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=answer, headers={"content-type": kind})

    return httpx2.Client(transport=httpx2.MockTransport(respond))


def openai_client(answer: bytes, status: int = 200) -> openai.OpenAI:
    return openai.OpenAI(api_key="tk-1", max_retries=0, http_client=http(answer, status))


def anthropic_client(answer: bytes, status: int = 200) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="tk-1", max_retries=0, http_client=http(answer, status))


@pytest.mark.parametrize(
    "egress", ["openai_chat", "openai_responses", "anthropic_messages", "gemini"]
)
def test_a_provider_says_the_same_whole_and_streamed(egress: EgressName) -> None:
    body = msgspec.json.encode(REPLIES[egress])
    reader = EGRESS[egress].reader()
    streaming = (event for data in STREAMS[egress] for event in reader.feed(data))
    assert assembled(EGRESS[egress].reader().whole(body)).answer() == SAID[egress]
    assert assembled(streaming).answer() == SAID[egress]


WHOLE_TYPES: dict[IngressName, type[BaseModel]] = {
    "openai_chat": ChatCompletion,
    "openai_responses": Response,
    "anthropic_messages": AnthropicMessage,
}
EVENT_TYPES: dict[IngressName, Callable[[object], object]] = {
    "openai_chat": ChatCompletionChunk.model_validate,
    "openai_responses": TypeAdapter[ResponseStreamEvent](ResponseStreamEvent).validate_python,
    "anthropic_messages": TypeAdapter[RawMessageStreamEvent](RawMessageStreamEvent).validate_python,
}


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_official_types_take_every_answer_strictly(
    ingress: IngressName, egress: EgressName
) -> None:
    assert WHOLE_TYPES[ingress].model_validate_json(whole(ingress, egress))
    seen = [EVENT_TYPES[ingress](event) for event in events(streamed(ingress, egress))]
    assert len(seen) > 5


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_usage_stands_in_the_fields_of_the_clients_dialect(
    ingress: IngressName, egress: EgressName
) -> None:
    adapter = adapter_for(ingress)
    reading = adapter.stream()
    for event in events(streamed(ingress, egress)):
        reading.observe(event)
    body = msgspec.json.decode(whole(ingress, egress), type=dict[str, object])
    read = adapter.usage_of(body, at=USAGE.at)
    assert isinstance(read, Usage)
    assert msgspec.structs.replace(read, searches=0) == USAGE
    streaming = reading.usage(USAGE.at)
    assert isinstance(streaming, Usage)
    assert msgspec.structs.replace(streaming, searches=0) == USAGE


@pytest.mark.parametrize("egress", ["anthropic_messages", "gemini", "openai_responses"])
def test_the_openai_client_streams_a_chat_from_any_provider(egress: EgressName) -> None:
    client = openai_client(streamed("openai_chat", egress))
    with client.chat.completions.stream(
        model="smart", messages=[{"role": "user", "content": "x"}]
    ) as events_of_it:
        final = events_of_it.get_final_completion()
    wanted = SAID[egress]
    message = final.choices[0].message
    assert final.choices[0].finish_reason == "tool_calls"
    assert message.content == "".join(p.text for p in wanted.parts if isinstance(p, Text))
    assert [
        (call.id, call.function.name, call.function.arguments)
        for call in message.tool_calls or ()
        if call.type == "function"
    ] == [(p.id, p.name, p.arguments) for p in wanted.parts if isinstance(p, ToolCall)]
    assert final.usage is not None
    assert final.usage.prompt_tokens == 160


@pytest.mark.parametrize("egress", ["openai_chat", "anthropic_messages", "gemini"])
def test_the_openai_client_streams_a_response_from_any_provider(egress: EgressName) -> None:
    client = openai_client(streamed("openai_responses", egress))
    with client.responses.stream(model="smart", input="x") as events_of_it:
        numbers = [event.sequence_number for event in events_of_it]
        final = events_of_it.get_final_response()
    wanted = SAID[egress]
    assert numbers == sorted(set(numbers))
    assert final.output_text == "".join(p.text for p in wanted.parts if isinstance(p, Text))
    assert [
        (item.call_id, item.name, item.arguments)
        for item in final.output
        if item.type == "function_call"
    ] == [(p.id, p.name, p.arguments) for p in wanted.parts if isinstance(p, ToolCall)]
    assert final.usage is not None
    assert final.usage.input_tokens == 160


@pytest.mark.parametrize("egress", ["openai_chat", "openai_responses", "gemini"])
def test_the_anthropic_client_streams_a_message_from_any_provider(egress: EgressName) -> None:
    client = anthropic_client(streamed("anthropic_messages", egress))
    with client.messages.stream(
        model="smart", max_tokens=9, messages=[{"role": "user", "content": "x"}]
    ) as events_of_it:
        final = events_of_it.get_final_message()
    wanted = SAID[egress]
    assert final.stop_reason == "tool_use"
    said = [block.text for block in final.content if block.type == "text"]
    assert said[:1] == [p.text for p in wanted.parts if isinstance(p, Text)]
    # Gemini names its sources at the end, when a text before a call is closed.
    assert said[1:] == ([SOURCE.url] if egress == "gemini" else [])
    assert [
        (block.id, block.name, block.input) for block in final.content if block.type == "tool_use"
    ] == [
        (p.id, p.name, msgspec.json.decode(p.arguments))
        for p in wanted.parts
        if isinstance(p, ToolCall)
    ]
    assert (final.usage.input_tokens, final.usage.cache_read_input_tokens) == (100, 40)


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_sources_reach_the_client_in_the_form_of_its_dialect(
    ingress: IngressName, egress: EgressName
) -> None:
    body, said = whole(ingress, egress), streamed(ingress, egress)
    form = {
        "openai_chat": b'{"type":"url_citation","url_citation":{"url":"https://bmkg.example/bogor"',
        "openai_responses": b'{"type":"url_citation","url":"https://bmkg.example/bogor"',
        "anthropic_messages": b'{"type":"web_search_result_location",'
        b'"url":"https://bmkg.example/bogor"',
    }
    assert body.count(form[ingress]) == 1
    assert form[ingress] in said


@pytest.mark.parametrize("ingress", ["openai_chat", "openai_responses", "anthropic_messages"])
def test_signed_reasoning_comes_back_to_its_maker_in_the_next_turn(ingress: IngressName) -> None:
    """A client that sends an answer back as it got it, in the conversation that it continues."""
    makers: list[tuple[EgressName, str, str]] = [
        ("anthropic_messages", "claude-opus-4-7", '"signature":"c2ln"'),
        ("gemini", "gemini-3-pro", '"thoughtSignature":"c2ln"'),
        ("openai_responses", "gpt-5.1", '"encrypted_content":"gAAAAB"'),
    ]
    for egress, model, proof in makers:
        if egress == ingress:
            continue
        answer = msgspec.json.decode(whole(ingress, egress))
        match ingress:
            case "openai_chat":
                turn = answer["choices"][0]["message"]
                body = {"messages": [{"role": "user", "content": "x"}, turn]}
            case "anthropic_messages":
                turn = {"role": "assistant", "content": answer["content"]}
                body = {"messages": [{"role": "user", "content": "x"}, turn]}
            case "openai_responses":
                body = {"input": [{"role": "user", "content": "x"}, *answer["output"]]}
        to = Destination(dialect=egress, model=model)
        sent = translate.request(ingress, raw(body), to)
        assert isinstance(sent, Outgoing), sent
        assert proof in sent.body.decode()


def broken(ingress: IngressName, egress: EgressName, last: bytes) -> bytes:
    """A stream that breaks off with an event after its first half."""
    translator = translate.StreamTranslator(ingress, egress, HEAD)
    said = b"".join(map(translator.feed, STREAMS[egress][:5])) + translator.feed(last)
    assert translator.failure is not None
    assert translator.feed(STREAMS[egress][-1]) == b""
    assert translator.fail(Failure(502, "server", "again")) == b""
    return said


ERROR_EVENTS: dict[EgressName, bytes] = {
    "openai_chat": b'{"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"error"}],'
    b'"error":{"code":503,"message":"Overloaded"}}',
    "anthropic_messages": b'{"type":"error","error":{"type":"overloaded_error",'
    b'"message":"Overloaded"}}',
    "gemini": b'{"error":{"code":503,"status":"UNAVAILABLE","message":"Overloaded"}}',
    "openai_responses": b'{"type":"error","code":"overloaded_error","message":"Overloaded"}',
}


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_official_client(
    ingress: IngressName, egress: EgressName
) -> None:
    said = broken(ingress, egress, ERROR_EVENTS[egress])
    assert DONE not in said
    match ingress:
        case "openai_chat":
            with pytest.raises(openai.APIError, match="Overloaded"):
                list(
                    openai_client(said).chat.completions.create(
                        model="smart", messages=[{"role": "user", "content": "x"}], stream=True
                    )
                )
        case "anthropic_messages":
            with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                list(
                    anthropic_client(said).messages.create(
                        model="smart",
                        max_tokens=9,
                        messages=[{"role": "user", "content": "x"}],
                        stream=True,
                    )
                )
        case "openai_responses":
            seen = [*openai_client(said).responses.create(model="smart", input="x", stream=True)]
            assert [event.type for event in seen][-2:] == ["error", "response.failed"]
            last = seen[-1]
            assert last.type == "response.failed"
            assert last.response.error is not None
            assert last.response.error.message == "Overloaded"


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
@pytest.mark.parametrize("garbage", [b"{", b'{"choices":3,"type":4,"candidates":"x"}', b"\xff"])
def test_what_cannot_be_read_is_an_error_in_the_clients_dialect_too(
    ingress: IngressName, egress: EgressName, garbage: bytes
) -> None:
    said = broken(ingress, egress, garbage)
    assert b"The provider's answer is not what its interface describes." in said
    read = translate.reply(ingress, egress, garbage, usage=None, head=HEAD)
    assert isinstance(read, Failure)
    assert (read.status, read.code) == (502, "malformed_reply")


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_an_answer_without_an_end_is_no_answer(ingress: IngressName, egress: EgressName) -> None:
    body = {"openai_responses": b'{"status":"failed","error":{"message":"no"}}'}.get(egress, b"{}")
    assert isinstance(translate.reply(ingress, egress, body, usage=None, head=HEAD), Failure)


def test_nothing_of_a_stream_counts_as_content_before_content_came() -> None:
    translator = translate.StreamTranslator("anthropic_messages", "openai_chat", HEAD)
    translator.feed(OPENROUTER_STREAM[0])
    assert not translator.content_begun
    translator.feed(OPENROUTER_STREAM[1])
    assert translator.content_begun
    assert not translator.finished


def test_a_stream_that_never_began_still_has_a_whole_frame() -> None:
    for ingress, egress in PAIRS:
        said = translate.StreamTranslator(ingress, egress, HEAD).finish(None)
        assert said.startswith((b"data: ", b"event: "))
        assert HEAD.id.encode() in said


def test_a_client_that_did_not_ask_for_usage_gets_none_in_a_chat_stream() -> None:
    quiet = Head(id="a", model="m", created=1)
    assert b'"usage"' not in streamed("openai_chat", "gemini", quiet)
    assert b'"usage"' in streamed("openai_chat", "gemini")


def test_a_response_repeats_what_was_asked() -> None:
    head = Head(id="a", model="m", created=1, fields=raw(RESPONSES_REQUEST))
    body = msgspec.json.encode(REPLIES["gemini"])
    written = translate.reply("openai_responses", "gemini", body, usage=None, head=head)
    assert isinstance(written, bytes)
    response = Response.model_validate_json(written)
    assert (response.instructions, response.temperature) == ("You are a travel agent.", 0.5)
    assert len(response.tools) == 1


FINISHES: list[tuple[EgressName, object, tuple[str, str, str]]] = [
    ("openai_chat", "length", ("length", "incomplete", "max_tokens")),
    ("openai_chat", "content_filter", ("content_filter", "incomplete", "refusal")),
    ("anthropic_messages", "refusal", ("content_filter", "incomplete", "refusal")),
    ("anthropic_messages", "stop_sequence", ("stop", "completed", "stop_sequence")),
    ("anthropic_messages", "pause_turn", ("stop", "completed", "pause_turn")),
    ("gemini", "MAX_TOKENS", ("length", "incomplete", "max_tokens")),
    ("gemini", "SAFETY", ("content_filter", "incomplete", "refusal")),
]


@pytest.mark.parametrize(("egress", "reason", "wanted"), FINISHES)
def test_the_reason_of_an_end_reaches_the_client_in_its_own_word(
    egress: EgressName, reason: str, wanted: tuple[str, str, str]
) -> None:
    message = {"role": "assistant", "content": "x"}
    bodies = {
        "openai_chat": {"id": "g", "choices": [{"message": message, "finish_reason": reason}]},
        "anthropic_messages": {
            "id": "m",
            "content": [{"type": "text", "text": "x"}],
            "stop_reason": reason,
        },
        "gemini": gemini([{"text": "x"}], finishReason=reason),
    }
    body = msgspec.json.encode(bodies[egress])
    names: list[IngressName] = ["openai_chat", "openai_responses", "anthropic_messages"]
    for name, word in zip(names, wanted, strict=True):
        if name != egress:
            written = translate.reply(name, egress, body, usage=None, head=HEAD)
            assert isinstance(written, bytes)
            assert f'"{word}"' in written.decode()


def test_a_reason_that_says_the_answer_is_no_good_is_a_failure() -> None:
    body = msgspec.json.encode(gemini([], finishReason="MALFORMED_FUNCTION_CALL"))
    failure = translate.reply("openai_chat", "gemini", body, usage=None, head=HEAD)
    assert isinstance(failure, Failure)
    assert failure.code == "malformed_function_call"


def test_a_blocked_prompt_of_gemini_is_a_filtered_answer() -> None:
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"m","responseId":"r"}'
    written = translate.reply("openai_chat", "gemini", body, usage=None, head=HEAD)
    assert isinstance(written, bytes)
    assert ChatCompletion.model_validate_json(written).choices[0].finish_reason == "content_filter"


def test_mixed_arguments_of_parallel_calls_are_an_error_and_not_a_guess() -> None:
    def call(index: int, **fields: object) -> dict[str, object]:
        return chunk({"tool_calls": [{"index": index, "function": {"arguments": "{}"}, **fields}]})

    translator = translate.StreamTranslator("anthropic_messages", "openai_chat", HEAD)
    for data in stream(call(0, id="a"), call(1, id="b"), call(0)):
        translator.feed(data)
    assert translator.failure is not None
    assert translator.failure.code == "malformed_reply"
    other = translate.StreamTranslator("anthropic_messages", "openai_responses", HEAD)
    other.feed(b'{"type":"response.function_call_arguments.delta","output_index":4,"delta":"{"}')
    assert other.failure is not None
    odd = translate.StreamTranslator("openai_responses", "anthropic_messages", HEAD)
    odd.feed(b'{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"x"}}')
    assert odd.failure is not None


def test_arguments_that_are_no_object_make_an_answer_malformed_where_one_is_needed() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "[1"}}
    message = {"role": "assistant", "tool_calls": [call]}
    body = msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]})
    read = translate.reply("anthropic_messages", "openai_chat", body, usage=None, head=HEAD)
    assert isinstance(read, Failure)
    kept = translate.reply("openai_responses", "openai_chat", body, usage=None, head=HEAD)
    assert isinstance(kept, bytes)
    assert b'"arguments":"[1"' in kept


def test_mistrals_lists_and_plain_reasoning_are_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    events_of_it = stream(
        chunk({"content": [thinking]}),
        chunk({"content": [{"type": "text", "text": "Yes"}]}),
        chunk({"reasoning_content": "More"}),
        chunk({"refusal": "No."}),
        chunk({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"function": {"arguments": " "}}]}),
        {**chunk({}), "choices": [{"index": 1, "delta": {"content": "not this one"}}]},
        chunk({"reasoning_details": [{"type": "reasoning.unknown"}]}),
        chunk({}, "stop"),
    )
    reader = EGRESS["openai_chat"].reader()
    assembly = assembled(event for data in events_of_it for event in reader.feed(data))
    answer = assembly.answer()
    assert answer.finish == "tool_calls"
    assert [type(part).__name__ for part in answer.parts] == [
        "Reasoning",
        "Text",
        "Reasoning",
        "Refusal",
        "ToolCall",
    ]
    assert answer.parts[-1] == ToolCall("call_gen-1_0", "f", "{} ")
