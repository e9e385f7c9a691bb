"""Laws of the dialects: what is written reads back, streamed or whole, and nothing vanishes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec
import pytest
from dialect_fields import ABOUT_THE_STREAM, FIELD_VALUES, SAID_BY_THE_DESTINATION
from dialect_replies import STREAMS
from dialect_samples import HELLO, REQUESTS, raw
from dialect_values import (
    CHAT,
    GEMINI,
    HEAD,
    MESSAGES,
    RESPONSES,
    answers,
    anthropic_reasoning,
    any_reasoning,
    calls,
    chat_conversations,
    cited,
    message_conversations,
    mixed,
    no_cache,
    response_conversations,
    texts,
    whole_block_texts,
)
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.dialects import translate
from tokonomi.dialects.answer import (
    Answer,
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolDelta,
    assembled,
    events_of,
)
from tokonomi.dialects.conversation import Conversation, Reasoning, Refusal, Text, ToolCall
from tokonomi.dialects.destination import Destination, EgressName, IngressName, Outgoing
from tokonomi.dialects.dialect import EGRESS, INGRESS
from tokonomi.dialects.refusal import Dropped, Untranslatable
from tokonomi.providers.server_sent_events import DONE, EventSplitter, data_of

INGRESS_NAMES: Sequence[IngressName] = ("openai_chat", "openai_responses", "anthropic_messages")


def read_back(conversation: Conversation, to: Destination) -> tuple[Conversation, list[Dropped]]:
    dropped: list[Dropped] = []
    body = msgspec.json.encode(EGRESS[to.dialect].write(conversation, to, dropped))
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    assert to.dialect != "gemini"
    return translate.read_request(to.dialect, fields, []), dropped


@given(chat_conversations())
def test_a_request_in_chat_completions_reads_back_as_it_was(conversation: Conversation) -> None:
    assert read_back(conversation, CHAT) == (conversation, [])


@given(message_conversations())
def test_a_request_in_messages_reads_back_as_it_was(conversation: Conversation) -> None:
    assert read_back(conversation, MESSAGES) == (conversation, [])


@given(response_conversations())
def test_a_request_in_responses_reads_back_as_it_was(conversation: Conversation) -> None:
    assert read_back(conversation, RESPONSES) == (conversation, [])


def in_pieces(events: Sequence[Event], size: int) -> Iterator[Event]:
    """The same events with their texts cut into pieces of at most `size` characters."""
    for event in events:
        match event:
            case TextDelta(text) | ReasoningDelta(text) | RefusalDelta(text):
                yield from (type(event)(text[i : i + size]) for i in range(0, len(text), size))
            case ToolDelta(text):
                yield from (ToolDelta(text[i : i + size]) for i in range(0, len(text), size))
            case _:
                yield event


def data_of_stream(stream: bytes, piece: int) -> Iterator[bytes]:
    """The data of the events of a stream that arrives in pieces of that many bytes."""
    splitter = EventSplitter()
    for start in range(0, len(stream), piece):
        for event in splitter.feed(stream[start : start + piece]):
            yield data_of(event)
    assert splitter.rest == b""


def streamed(name: IngressName, answer: Answer, size: int) -> bytes:
    """An answer as a provider of a dialect streams it."""
    writer = INGRESS[name].writer(HEAD)
    events = in_pieces([*events_of(answer)], size)
    return b"".join(map(writer.write, events)) + writer.finish(None)


def read_stream(name: IngressName, stream: bytes, piece: int) -> Answer:
    reader = EGRESS[name].reader()
    return assembled(
        event for data in data_of_stream(stream, piece) for event in reader.feed(data)
    ).answer()


def read_whole(name: IngressName, body: bytes) -> Answer:
    return assembled(EGRESS[name].reader().whole(body)).answer()


proper_calls = calls(no_cache)
ANSWERS: dict[IngressName, st.SearchStrategy[Answer]] = {
    "openai_chat": answers(
        st.tuples(
            st.lists(any_reasoning, max_size=2),
            st.lists(cited(quotes=True), max_size=1),
            st.lists(st.builds(Refusal, texts), max_size=1),
            st.lists(proper_calls, max_size=2),
        ).map(lambda groups: tuple(part for group in groups for part in group)),
        ("length", "tool_calls", "filtered"),
    ),
    "anthropic_messages": answers(
        mixed(anthropic_reasoning, whole_block_texts(), proper_calls),
        ("stop", "length", "tool_calls", "filtered", "context_full", "paused"),
    ),
    "openai_responses": answers(
        mixed(cited(quotes=False), st.builds(Refusal, texts), proper_calls),
        ("length", "filtered"),
    ),
}
named_answers = st.sampled_from(INGRESS_NAMES).flatmap(
    lambda name: st.tuples(st.just(name), ANSWERS[name])
)
sizes = st.integers(1, 6)


def without_time(name: IngressName, answer: Answer) -> Answer:
    """Messages do not say when they were made."""
    if name != "anthropic_messages":
        return answer
    return Answer(answer.id, answer.model, 0, answer.parts, answer.finish, answer.stop_sequence)


@given(named_answers)
def test_a_whole_answer_reads_back_as_it_was(case: tuple[IngressName, Answer]) -> None:
    name, answer = case
    body = INGRESS[name].write_whole(answer, None, HEAD)
    assert read_whole(name, body) == joined_refusals(without_time(name, answer))


@given(named_answers, sizes, st.integers(1, 400))
def test_a_streamed_answer_adds_up_to_the_whole_for_any_pieces(
    case: tuple[IngressName, Answer], size: int, piece: int
) -> None:
    name, answer = case
    whole = read_whole(name, INGRESS[name].write_whole(answer, None, HEAD))
    assert read_stream(name, streamed(name, answer, size), piece) == whole


def joined_refusals(answer: Answer) -> Answer:
    """Words of refusal in a row are one refusal, and nothing between them tells otherwise."""
    parts: list[object] = []
    for part in answer.parts:
        last = parts[-1] if parts else None
        if isinstance(part, Refusal) and isinstance(last, Refusal):
            parts[-1] = Refusal(last.text + part.text)
        else:
            parts.append(part)
    kept = tuple(p for p in parts if isinstance(p, Text | Reasoning | ToolCall | Refusal))
    return Answer(answer.id, answer.model, answer.created, kept, answer.finish)


def as_a_client_sees_it(name: IngressName, answer: Answer) -> object:
    """What an answer says in a dialect: a message of chat completions does not order its kinds."""
    if name != "openai_chat":
        return answer
    texts_of = [part for part in answer.parts if isinstance(part, Text)]
    return (
        answer.finish,
        "".join(text.text for text in texts_of),
        [citation for text in texts_of for citation in text.citations],
        "".join(part.text for part in answer.parts if isinstance(part, Refusal)),
        [part for part in answer.parts if isinstance(part, Reasoning)],
        [part for part in answer.parts if isinstance(part, ToolCall)],
    )


PAIRS = [(a, b) for a in INGRESS_NAMES for b in INGRESS_NAMES if a != b]


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
@given(data=st.data())
def test_a_translated_stream_says_what_the_translated_whole_says(
    ingress: IngressName, egress: IngressName, data: st.DataObject
) -> None:
    answer, size = data.draw(ANSWERS[egress]), data.draw(sizes)
    whole = translate.reply(
        ingress, egress, INGRESS[egress].write_whole(answer, None, HEAD), usage=None, head=HEAD
    )
    assert isinstance(whole, bytes)
    translator = translate.StreamTranslator(ingress, egress, HEAD)
    stream = b""
    for event in data_of_stream(streamed(egress, answer, size), 100):
        stream += translator.feed(event)
    assert translator.finished
    stream += translator.finish(None)
    streamed_answer, whole_answer = read_stream(ingress, stream, 64), read_whole(ingress, whole)
    assert as_a_client_sees_it(ingress, streamed_answer) == as_a_client_sees_it(
        ingress, whole_answer
    )
    assert stream.endswith(b"data: " + DONE + b"\n\n") == (ingress == "openai_chat")


DESTINATIONS = (
    CHAT,
    Destination(dialect="openai_chat", model="gpt-5.1", provider="openai"),
    Destination(dialect="openai_chat", model="llama"),
    Destination(dialect="openai_chat", model="deepseek-chat", provider="deepseek"),
    MESSAGES,
    Destination(dialect="anthropic_messages", model="claude-sonnet-4-5"),
    RESPONSES,
    GEMINI,
    Destination(dialect="gemini", model="gemini-2.5-flash"),
)
FIELDS = [(ingress, field) for ingress in INGRESS_NAMES for field in sorted(FIELD_VALUES[ingress])]


def outcome(
    ingress: IngressName, to: Destination, fields: Mapping[str, object]
) -> Outgoing | Untranslatable:
    return translate.request(ingress, raw({**HELLO[ingress], **fields}), to)


def test_every_field_that_is_known_has_a_value_to_try() -> None:
    for ingress in INGRESS_NAMES:
        known = INGRESS[ingress].rules.keys() - SAID_BY_THE_DESTINATION
        about = ABOUT_THE_STREAM if ingress == "openai_chat" else frozenset[str]()
        assert FIELD_VALUES[ingress].keys() == known - about


@pytest.mark.parametrize(("ingress", "field"), FIELDS)
def test_every_field_is_carried_or_dropped_by_name_or_refused_by_name(
    ingress: IngressName, field: str
) -> None:
    fields = {field: FIELD_VALUES[ingress][field]}
    if field == "tool_choice":
        fields["tools"] = FIELD_VALUES[ingress]["tools"]
    others = {name: value for name, value in fields.items() if name != field}
    for to in DESTINATIONS:
        if to.dialect == ingress:
            continue
        result, plain = outcome(ingress, to, fields), outcome(ingress, to, others)
        assert isinstance(plain, Outgoing)
        if isinstance(result, Untranslatable):
            assert re.split(r"[.\[]", result.path)[0] == field
            continue
        listed = {re.split(r"[.\[]", each.path)[0] for each in result.dropped}
        carried = (result.path, result.body) != (plain.path, plain.body)
        assert carried or listed & {field, "cache_control"}, (to, field)


@given(
    st.sampled_from(INGRESS_NAMES), st.sampled_from(DESTINATIONS), st.data(), st.text(min_size=1)
)
def test_an_unknown_key_at_any_depth_is_refused_by_its_path(
    ingress: IngressName, to: Destination, data: st.DataObject, key: str
) -> None:
    if to.dialect == ingress:
        return
    key = f"zz{key}"
    body: dict[str, object] = msgspec.json.decode(msgspec.json.encode(REQUESTS[ingress]))
    places = [*objects_in(body, "")]
    path, place = data.draw(st.sampled_from(places))
    place[key] = data.draw(st.integers() | st.text(max_size=3) | st.booleans())
    result = translate.request(ingress, raw(body), to)
    assert isinstance(result, Untranslatable)
    assert result.path == (f"{path}.{key}" if path else key)


FREE_FORM = ("parameters", "input_schema", "schema", "input", "metadata")
"""Objects whose keys are the client's own."""


def objects_in(value: object, path: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Every object of a body in which our rules say which keys there are, with its path."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        yield path, fields
        for key, each in fields.items():
            if key not in FREE_FORM or isinstance(each, list):
                yield from objects_in(cast("object", each), f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[object]", value)):
            yield from objects_in(each, f"{path}[{index}]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "text", "role", "content", "id")), inner)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(INGRESS_NAMES),
    st.sampled_from(DESTINATIONS),
    st.dictionaries(
        st.sampled_from(sorted({f for each in FIELD_VALUES.values() for f in each})), json_values
    ),
)
def test_no_body_at_all_breaks_the_translation(
    ingress: IngressName, to: Destination, body: dict[str, object]
) -> None:
    if to.dialect != ingress:
        result = translate.request(ingress, raw(body), to)
        assert isinstance(result, Outgoing | Untranslatable)


EGRESS_NAMES: Sequence[EgressName] = (
    "openai_chat",
    "openai_responses",
    "anthropic_messages",
    "gemini",
)


@pytest.mark.parametrize("egress", EGRESS_NAMES)
@given(ingress=st.sampled_from(INGRESS_NAMES), data=st.data())
def test_no_events_of_a_provider_in_any_order_break_a_stream(
    egress: EgressName, ingress: IngressName, data: st.DataObject
) -> None:
    strange = json_values.map(msgspec.json.encode)
    events = data.draw(st.lists(st.sampled_from(STREAMS[egress]) | strange, max_size=12))
    translator = translate.StreamTranslator(ingress, egress, HEAD)
    said = b"".join(map(translator.feed, events))
    if translator.failure is None:
        said += translator.finish(None)
    assert said.endswith(b"\n\n")
