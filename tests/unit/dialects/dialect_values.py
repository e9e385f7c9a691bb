"""Generated requests and answers: what each dialect can say in full, in our neutral form."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from tokonomi.dialects.answer import Answer, Finish, Head
from tokonomi.dialects.conversation import (
    CacheTime,
    Citation,
    Conversation,
    Document,
    Effort,
    Image,
    Message,
    OutputFormat,
    Part,
    Place,
    Reasoning,
    Refusal,
    ServiceTier,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from tokonomi.dialects.destination import Destination
from tokonomi.dialects.reasoning import ANTHROPIC, GOOGLE, OPENAI

HEAD = Head(id="answer-1", model="a-model", created=1_790_000_000, wants_usage=True)
CHAT = Destination(dialect="openai_chat", model="a/model", provider="openrouter")
MESSAGES = Destination(dialect="anthropic_messages", model="claude-opus-4-7")
RESPONSES = Destination(dialect="openai_responses", model="gpt-5.1", provider="openai")
GEMINI = Destination(dialect="gemini", model="gemini-3-pro")

CHARACTERS = st.characters(codec="utf-8")
texts = st.text(CHARACTERS, min_size=1, max_size=12)
words = st.text("abcdefghij_-", min_size=1, max_size=8)
base64 = st.text("ABCDabcd0123+/", min_size=1, max_size=12)
schemas = st.dictionaries(words, st.one_of(texts, st.integers(0, 9), st.booleans()), min_size=1)
caches: st.SearchStrategy[CacheTime] = st.sampled_from(("", "5m", "1h"))
no_cache: st.SearchStrategy[CacheTime] = st.just("")
floats = st.floats(0, 1, allow_nan=False)
nothing = st.none()
optional_flag: st.SearchStrategy[bool | None] = st.sampled_from((None, False, True))
T = TypeVar("T")


def optional(values: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return nothing | values


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


arguments = schemas.map(json_text)


def images(marks: st.SearchStrategy[CacheTime], details: Sequence[str]) -> st.SearchStrategy[Image]:
    detail = st.sampled_from(details)
    linked = st.builds(
        Image, url=words.map("https://a.example/{}".format), detail=detail, cache=marks
    )
    inline = st.builds(
        Image, data=base64, media_type=st.just("image/png"), detail=detail, cache=marks
    )
    return linked | inline


def inline_documents(marks: st.SearchStrategy[CacheTime]) -> st.SearchStrategy[Document]:
    kind = st.just("application/pdf")
    return st.builds(Document, data=base64, media_type=kind, name=words, cache=marks)


def linked_documents(marks: st.SearchStrategy[CacheTime]) -> st.SearchStrategy[Document]:
    return st.builds(
        Document, url=words.map("https://a.example/{}.pdf".format), name=words, cache=marks
    )


def text_documents(marks: st.SearchStrategy[CacheTime]) -> st.SearchStrategy[Document]:
    kind = st.just("text/plain")
    return st.builds(Document, text=texts, media_type=kind, name=words, cache=marks)


def parts(marks: st.SearchStrategy[CacheTime]) -> st.SearchStrategy[Text]:
    return st.builds(Text, texts, cache=marks)


def citations(*, quotes: bool) -> st.SearchStrategy[tuple[Citation, ...]]:
    quote = texts if quotes else st.just("")
    place = st.integers(0, 20)
    one = st.builds(Citation, words.map("https://s.example/{}".format), texts, place, place, quote)
    return st.lists(one, max_size=2).map(tuple)


@st.composite
def whole_block_texts(draw: st.DrawFn) -> Text:
    """Text as Anthropic cites it: each source is of the whole block."""
    text = draw(texts)
    sources = draw(citations(quotes=True))
    return Text(text, tuple(Citation(s.url, s.title, 0, len(text), s.quote) for s in sources))


anthropic_reasoning = st.builds(
    Reasoning, st.just("text"), texts, base64, st.just(ANTHROPIC)
) | st.builds(Reasoning, st.just("encrypted"), base64, st.just(""), st.just(ANTHROPIC))
any_reasoning = st.one_of(
    anthropic_reasoning,
    st.builds(Reasoning, st.just("text"), texts),
    st.builds(Reasoning, st.just("summary"), texts, st.just(""), st.sampled_from(("", GOOGLE))),
    st.builds(Reasoning, st.just("encrypted"), base64, st.just(""), st.just(GOOGLE), words),
)


@st.composite
def openai_reasoning(draw: st.DrawFn) -> tuple[Reasoning, ...]:
    """The pieces of one item of OpenAI's."""
    name = f"rs_{draw(st.uuids())}"
    summaries = draw(st.lists(texts, max_size=2))
    return (
        *(Reasoning("summary", text, "", OPENAI, name) for text in summaries),
        Reasoning("encrypted", draw(base64), "", OPENAI, name),
    )


def calls(marks: st.SearchStrategy[CacheTime]) -> st.SearchStrategy[ToolCall]:
    return st.builds(ToolCall, words, words, arguments, marks)


def results(
    inner: st.SearchStrategy[Text | Image | Document],
    marks: st.SearchStrategy[CacheTime],
    errors: st.SearchStrategy[bool],
) -> st.SearchStrategy[ToolResult]:
    return st.builds(ToolResult, words, st.lists(inner, max_size=2).map(tuple), errors, marks)


def joined(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns without two in a row of one role, which some dialects would join."""
    kept: list[Message] = []
    for turn in turns:
        if not kept or turn.role != kept[-1].role:
            kept.append(turn)
    return tuple(kept)


def conversations(
    *,
    user: st.SearchStrategy[Text | Image | Document],
    system: st.SearchStrategy[Text],
    assistant: st.SearchStrategy[tuple[Part, ...]],
    tool: st.SearchStrategy[ToolResult],
) -> st.SearchStrategy[tuple[Message, ...]]:
    def turn(role: str, inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Message]:
        held = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.builds(Message, st.just(role), held)

    turns = st.one_of(
        turn("user", user),
        turn("system", system),
        turn("tool", tool),
        st.builds(Message, st.just("assistant"), assistant),
    )
    return st.lists(turns, max_size=6).map(joined)


turns_of_chat = conversations(
    user=parts(caches) | images(caches, ("", "low")) | inline_documents(caches),
    system=parts(caches),
    assistant=st.tuples(
        st.lists(any_reasoning, max_size=2),
        st.lists(st.builds(Text, texts, citations(quotes=True), caches), max_size=1),
        st.lists(st.builds(Refusal, texts), max_size=1),
        st.lists(calls(caches), max_size=2),
    ).map(lambda groups: tuple(part for group in groups for part in group)),
    tool=results(parts(caches) | images(caches, ("",)), no_cache, st.just(value=False)),
)
turns_of_messages = conversations(
    user=st.one_of(
        parts(caches),
        images(caches, ("",)),
        inline_documents(caches),
        linked_documents(caches),
        text_documents(caches),
    ),
    system=parts(caches),
    assistant=st.lists(
        st.one_of(anthropic_reasoning, whole_block_texts(), calls(caches)), min_size=1, max_size=4
    ).map(tuple),
    tool=results(parts(caches) | images(caches, ("",)), caches, st.booleans()),
)
turns_of_responses = conversations(
    user=st.one_of(
        parts(no_cache),
        images(no_cache, ("", "low")),
        inline_documents(no_cache),
        linked_documents(no_cache),
    ),
    system=parts(no_cache),
    assistant=st.lists(
        st.one_of(
            openai_reasoning(),
            st.builds(Text, texts, citations(quotes=False)).map(lambda part: (part,)),
            st.builds(Refusal, texts).map(lambda part: (part,)),
            calls(no_cache).map(lambda part: (part,)),
        ),
        min_size=1,
        max_size=4,
    ).map(lambda groups: tuple(part for group in groups for part in group)),
    tool=results(parts(no_cache), no_cache, st.just(value=False)),
)
some_tools = st.lists(st.builds(Tool, words, words, schemas, optional_flag, caches), max_size=2)
chosen = st.sampled_from(
    (ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "f"))
)
places = st.builds(Place, words, words, words, words)
efforts: st.SearchStrategy[Effort] = st.sampled_from(("low", "medium", "high", "xhigh", "max"))
any_effort: st.SearchStrategy[Effort] = st.sampled_from(("none", "minimal", "low", "xhigh"))
tiers: st.SearchStrategy[ServiceTier] = st.sampled_from(("", "auto", "standard"))
openai_tiers: st.SearchStrategy[ServiceTier] = st.sampled_from(("", "auto", "flex", "priority"))
domains = st.lists(words, min_size=1, max_size=2).map(tuple)
stops = st.lists(texts, max_size=2).map(tuple)
notes = st.dictionaries(words, texts, max_size=2).map(lambda each: tuple(each.items()))
named_schema = st.builds(OutputFormat, schemas, words, words, optional_flag)


@st.composite
def chat_conversations(draw: st.DrawFn) -> Conversation:
    """Whatever a request to OpenRouter's chat completions can say."""
    stream = draw(st.booleans())
    budget = draw(optional(st.integers(1, 9999)))
    effort: Effort = "" if budget is not None else draw(any_effort)
    engine = st.builds(WebSearch, engine=words, max_results=st.integers(6, 9))
    return Conversation(
        messages=draw(turns_of_chat),
        tools=tuple(draw(some_tools)),
        tool_choice=draw(optional(chosen)),
        parallel_tool_calls=draw(optional_flag),
        output_format=draw(optional(named_schema | st.just(OutputFormat()))),
        thinking=draw(optional(st.just(Thinking(effort, budget, draw(optional_flag))))),
        web_search=draw(optional(engine | st.just(WebSearch()))),
        max_tokens=draw(optional(st.integers(1, 9999))),
        temperature=draw(optional(floats)),
        top_p=draw(optional(floats)),
        top_k=draw(optional(st.integers(1, 99))),
        frequency_penalty=draw(optional(floats)),
        presence_penalty=draw(optional(floats)),
        seed=draw(optional(st.integers(0, 99))),
        stop=draw(stops),
        verbosity=draw(st.sampled_from(("", "low", "high"))),
        user=draw(words),
        metadata=draw(notes),
        service_tier=draw(openai_tiers),
        cache_key=draw(words),
        stream=stream,
        wants_usage=stream,
    )


@st.composite
def message_conversations(draw: st.DrawFn) -> Conversation:
    """Whatever a request to Anthropic's messages can say."""
    tools = tuple(draw(some_tools))
    choice = draw(optional(chosen)) if tools else None
    can_be_parallel = choice is not None and choice.mode != "none"
    thinking = st.builds(Thinking, efforts, nothing, st.booleans()) | st.just(Thinking("none"))
    search = st.builds(
        WebSearch, place=optional(places), allowed_domains=domains, max_uses=st.integers(1, 9)
    ) | st.builds(WebSearch, blocked_domains=domains)
    return Conversation(
        messages=draw(turns_of_messages),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=draw(optional_flag) if can_be_parallel else None,
        output_format=draw(optional(st.builds(OutputFormat, schemas))),
        thinking=draw(optional(thinking)),
        web_search=draw(optional(search)),
        max_tokens=draw(st.integers(1, 9999)),
        temperature=draw(optional(floats)),
        top_p=draw(optional(floats)),
        top_k=draw(optional(st.integers(1, 99))),
        stop=draw(stops),
        user=draw(words),
        service_tier=draw(tiers),
        stream=draw(st.booleans()),
        wants_usage=True,
    )


@st.composite
def response_conversations(draw: st.DrawFn) -> Conversation:
    """Whatever a request to OpenAI's responses can say."""
    search = st.builds(
        WebSearch,
        context_size=st.sampled_from(("", "low", "high")),
        place=optional(places),
        allowed_domains=st.just(()) | domains,
        max_uses=optional(st.integers(1, 9)),
    )
    thinking = st.builds(Thinking, efforts, nothing, st.sampled_from((None, True)))
    tools = st.lists(st.builds(Tool, words, words, optional(schemas), st.booleans()), max_size=2)
    return Conversation(
        messages=draw(turns_of_responses),
        tools=tuple(draw(tools)),
        tool_choice=draw(optional(chosen)),
        parallel_tool_calls=draw(optional_flag),
        output_format=draw(optional(named_schema | st.just(OutputFormat()))),
        thinking=draw(optional(thinking)),
        web_search=draw(optional(search)),
        max_tokens=draw(optional(st.integers(1, 9999))),
        temperature=draw(optional(floats)),
        top_p=draw(optional(floats)),
        verbosity=draw(st.sampled_from(("", "low", "high"))),
        user=draw(words),
        metadata=draw(notes),
        service_tier=draw(openai_tiers),
        cache_key=draw(words),
        stream=draw(st.booleans()),
        wants_usage=True,
    )


def answers(
    held: st.SearchStrategy[tuple[Part, ...]], finishes: Sequence[Finish]
) -> st.SearchStrategy[Answer]:
    return st.builds(
        Answer,
        words,
        words,
        st.integers(1, 2_000_000_000),
        held,
        st.sampled_from(finishes),
    )


def mixed(*kinds: st.SearchStrategy[Part]) -> st.SearchStrategy[tuple[Part, ...]]:
    return st.lists(st.one_of(*kinds), min_size=1, max_size=4).map(tuple)


def cited(*, quotes: bool) -> st.SearchStrategy[Text]:
    return st.builds(Text, texts, citations(quotes=quotes))
