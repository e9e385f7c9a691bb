"""Anthropic's messages, read: a client's request becomes our neutral form."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Final

import msgspec

from tokonomi.dialects.cache_marker import cache_time
from tokonomi.dialects.conversation import (
    Citation,
    Conversation,
    Document,
    Effort,
    Image,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    ServiceTier,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from tokonomi.dialects.fields import Fields, objects
from tokonomi.dialects.openai_settings import place_of
from tokonomi.dialects.reasoning import ANTHROPIC, THE_BUDGET_SAYS_IT, unsealed
from tokonomi.dialects.refusal import (
    CACHE_MARKERS,
    CannotCarry,
    Carried,
    Dropped,
    Hint,
    Refused,
    Rule,
)

_ELSEWHERE: Final = "Leave it out, or use a model whose provider speaks your dialect."
RULES: Final[Mapping[str, Rule]] = {
    "model": Carried("model"),
    "messages": Carried("messages"),
    "system": Carried("messages"),
    "max_tokens": Carried("max_tokens"),
    "stop_sequences": Carried("stop"),
    "stream": Carried("stream"),
    "temperature": Carried("temperature"),
    "top_p": Carried("top_p"),
    "top_k": Carried("top_k"),
    "tools": Carried("tools", also="web_search"),
    "tool_choice": Carried("tool_choice"),
    "thinking": Carried("thinking"),
    "output_config": Carried("output_format", also="thinking"),
    "output_format": Carried("output_format"),
    "metadata": Carried("user"),
    "service_tier": Carried("service_tier"),
    "cache_control": Carried(CACHE_MARKERS),
    "diagnostics": Hint("it asks about the cache of one provider"),
    "container": Refused("names a container of one provider", _ELSEWHERE),
    "context_management": Refused("asks a provider to edit the conversation", _ELSEWHERE),
    "mcp_servers": Refused("names servers that only its provider calls", _ELSEWHERE),
    "inference_geo": Refused("says where to compute, which others cannot promise", _ELSEWHERE),
    "speed": Refused("asks for a faster mode of one provider", _ELSEWHERE, harmless=("standard",)),
    "user_profile_id": Refused("names a profile of one provider", _ELSEWHERE),
    "workspace_id": Refused("names a workspace of one provider", _ELSEWHERE),
}
"""Every field of a message request that we know, and what becomes of it across dialects."""

SEARCH_TOOLS: Final = ("web_search_20250305", "web_search_20260209", "web_search_20260318")
_TIERS: Final[Mapping[str, ServiceTier]] = {"auto": "auto", "standard_only": "standard"}
_EFFORTS: Final[Mapping[str, Effort]] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_SEARCHED: Final = frozenset({"server_tool_use", "web_search_tool_result"})
_encode: Final = msgspec.json.Encoder().encode


def read(fields: Fields, dropped: list[Dropped]) -> Conversation:
    """The request that the carried fields of a body state.

    Raises:
        CannotCarry: a part of it has no place in another dialect.
    """
    fields.ignore("model")
    tools, search = _tools(fields)
    choice, parallel = _tool_choice(fields.child("tool_choice"))
    config = fields.child("output_config")
    output = fields.child("output_format") or (config and config.child("format"))
    effort: Effort = config.choice("effort", _EFFORTS, "") if config else ""
    if config:
        config.done()
    metadata = fields.child("metadata")
    user = metadata.text("user_id") if metadata else ""
    if metadata:
        metadata.done()
    return Conversation(
        messages=_marked(tuple(_messages(fields, dropped)), fields),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        output_format=_output_format(output),
        thinking=_thinking(fields.child("thinking"), effort, dropped),
        web_search=search,
        max_tokens=fields.whole("max_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        stop=fields.texts("stop_sequences"),
        user=user,
        service_tier=fields.choice("service_tier", _TIERS, ""),
        stream=bool(fields.flag("stream")),
        wants_usage=True,
    )


def _messages(fields: Fields, dropped: list[Dropped]) -> Iterator[Message]:
    system = fields.take("system")
    if system is not None:
        yield Message("system", tuple(_texts(system, "system")), "system")
    for message in objects(fields.take("messages"), "messages"):
        role, at = message.needed_text("role"), message.path
        content = message.take("content")
        message.done()
        match role:
            case "system":
                yield Message("system", tuple(_texts(content, f"{at}.content")), at)
            case "assistant":
                parts = _parts(content, f"{at}.content", dropped)
                yield Message("assistant", tuple(parts), at)
            case "user":
                yield from _user_turns(tuple(_parts(content, f"{at}.content", dropped)), at)
            case _:
                raise CannotCarry(
                    f"{at}.role", f'is "{role[:40]}", which is unknown', "Use user or assistant."
                )


def _user_turns(parts: tuple[Part, ...], at: str) -> Iterator[Message]:
    """Results of tools and what the person says, each as a turn of its own."""
    for results, group in groupby(parts, key=lambda part: isinstance(part, ToolResult)):
        yield Message("tool" if results else "user", tuple(group), at)


def _marked(messages: tuple[Message, ...], fields: Fields) -> tuple[Message, ...]:
    """The messages with the marker that the request's own `cache_control` puts on the last part."""
    time = cache_time(fields)
    if not time or not messages or not messages[-1].parts:
        return messages
    last = messages[-1]
    *before, part = last.parts
    if isinstance(part, Text | Image | Document | ToolResult | ToolCall):
        part = replace(part, cache=time)
    return (*messages[:-1], Message(last.role, (*before, part), last.at))


def _texts(value: object, path: str) -> Iterator[Text]:
    for part in _parts(value, path, []):
        if not isinstance(part, Text):
            raise CannotCarry(path, "holds more than text", "Send text only.")
        yield part


def _parts(value: object, path: str, dropped: list[Dropped]) -> Iterator[Part]:
    if isinstance(value, str):
        if value:
            yield Text(value)
        return
    for block in objects(value, path):
        kind = block.needed_text("type")
        if kind in _SEARCHED:
            reason = "the search was another provider's; what it found stands in the text"
            dropped.append(Dropped(block.path, reason))
            continue
        yield _part(block, kind, dropped)
        block.done()


def _part(  # noqa: PLR0911 - one case for each kind of block
    block: Fields, kind: str, dropped: list[Dropped]
) -> Part:
    match kind:
        case "text":
            text = block.needed_text("text")
            citations = tuple(_citations(block, len(text), dropped))
            return Text(text, citations, cache_time(block))
        case "image":
            return _image(block)
        case "document":
            return _document(block)
        case "thinking":
            return unsealed(block.text("thinking"), block.text("signature"), ANTHROPIC)
        case "redacted_thinking":
            return _redacted(block.needed_text("data"))
        case "tool_use":
            return _tool_use(block)
        case "tool_result":
            return _tool_result(block, dropped)
        case _:
            raise CannotCarry(
                block.path,
                f'is of type "{kind[:40]}", which cannot be carried',
                "Use a model whose provider speaks your dialect.",
            )


def _redacted(data: str) -> Reasoning:
    piece = unsealed("", data, ANTHROPIC)
    return Reasoning("encrypted", piece.text or piece.signature, "", piece.maker, piece.id)


def _citations(block: Fields, length: int, dropped: list[Dropped]) -> Iterator[Citation]:
    for citation in block.children("citations"):
        if citation.needed_text("type") != "web_search_result_location":
            reason = "it cites a document, which other dialects cannot"
            dropped.append(Dropped(citation.path, reason))
            continue
        citation.ignore("encrypted_index")
        yield Citation(
            citation.needed_text("url"),
            citation.text("title"),
            0,
            length,
            citation.text("cited_text"),
        )
        citation.done()


def _image(block: Fields) -> Image:
    source = block.child("source") or Fields({}, block.at("source"))
    kind = source.needed_text("type")
    match kind:
        case "base64":
            data, media_type = source.needed_text("data"), source.needed_text("media_type")
            image = Image("", data, media_type, cache=cache_time(block))
        case "url":
            image = Image(source.needed_text("url"), cache=cache_time(block))
        case _:
            raise _only_its_provider_has(source, kind)
    source.done()
    return image


def _document(block: Fields) -> Document:
    source = block.child("source") or Fields({}, block.at("source"))
    kind, name, cache = source.needed_text("type"), block.text("title"), cache_time(block)
    citing = block.child("citations")
    if citing is not None and citing.flag("enabled"):
        raise CannotCarry(
            block.at("citations"), "asks to cite a document, which others cannot", _ELSEWHERE
        )
    match kind:
        case "base64":
            data, media_type = source.needed_text("data"), source.needed_text("media_type")
            document = Document("", data, "", media_type, name, cache)
        case "url":
            document = Document(source.needed_text("url"), name=name, cache=cache)
        case "text":
            source.ignore("media_type")
            document = Document("", "", source.needed_text("data"), "text/plain", name, cache)
        case _:
            raise _only_its_provider_has(source, kind)
    source.done()
    return document


def _only_its_provider_has(source: Fields, kind: str) -> CannotCarry:
    return CannotCarry(
        source.path,
        f'is of type "{kind[:40]}", which only its provider has',
        "Send it as base64 or by its address.",
    )


def _tool_use(block: Fields) -> ToolCall:
    arguments = block.json_object("input") or {}
    block.ignore("caller")
    return ToolCall(
        block.needed_text("id"),
        block.needed_text("name"),
        _encode(arguments).decode(),
        cache_time(block),
    )


def _tool_result(block: Fields, dropped: list[Dropped]) -> ToolResult:
    content = block.take("content")
    parts: list[Text | Image | Document] = []
    if content is not None:
        for part in _parts(content, block.at("content"), dropped):
            if not isinstance(part, Text | Image | Document):
                raise CannotCarry(
                    block.at("content"), "holds more than text, images and documents", _ELSEWHERE
                )
            parts.append(part)
    return ToolResult(
        block.needed_text("tool_use_id"),
        tuple(parts),
        bool(block.flag("is_error")),
        cache_time(block),
    )


def _tools(fields: Fields) -> tuple[tuple[Tool, ...], WebSearch | None]:
    tools: list[Tool] = []
    search: WebSearch | None = None
    for tool in fields.children("tools"):
        kind = tool.text("type")
        if kind in SEARCH_TOOLS:
            search = _web_search(tool)
        elif kind in {"", "custom"}:
            tools.append(_tool(tool))
        else:
            raise CannotCarry(
                tool.path,
                f'is of type "{kind[:40]}", a tool that other providers do not have',
                "Use tools of your own, or a model whose provider speaks your dialect.",
            )
        tool.done()
    return tuple(tools), search


def _tool(tool: Fields) -> Tool:
    tool.ignore("eager_input_streaming")
    return Tool(
        tool.needed_text("name"),
        tool.text("description"),
        tool.json_object("input_schema"),
        tool.flag("strict"),
        cache_time(tool),
    )


def _web_search(tool: Fields) -> WebSearch:
    # A marker on a tool of the provider's own only cuts the cache where ours begin.
    tool.ignore("name", "cache_control")
    return WebSearch(
        place=place_of(tool),
        allowed_domains=tool.texts("allowed_domains"),
        blocked_domains=tool.texts("blocked_domains"),
        max_uses=tool.whole("max_uses"),
    )


def _tool_choice(choice: Fields | None) -> tuple[ToolChoice | None, bool | None]:
    if choice is None:
        return None, None
    kind, name = choice.needed_text("type"), choice.text("name")
    single = choice.flag("disable_parallel_tool_use")
    choice.done()
    parallel = None if single is None else not single
    match kind:
        case "auto" | "none":
            return ToolChoice(kind), parallel
        case "any":
            return ToolChoice("required"), parallel
        case "tool":
            return ToolChoice("named", name), parallel
        case _:
            raise CannotCarry(
                "tool_choice.type", f'is "{kind[:40]}", which is unknown', "Use auto, any or tool."
            )


def _output_format(form: Fields | None) -> OutputFormat | None:
    if form is None:
        return None
    form.choice("type", {"json_schema": True}, default=True)
    schema = form.json_object("schema") or {}
    form.done()
    return OutputFormat(schema)


def _thinking(settings: Fields | None, effort: Effort, dropped: list[Dropped]) -> Thinking | None:
    if settings is None:
        return Thinking(effort) if effort else None
    kind = settings.needed_text("type")
    budget = settings.whole("budget_tokens")
    shown = settings.choice("display", {"summarized": True, "omitted": False}, default=True)
    settings.done()
    match kind:
        case "disabled":
            if effort:
                dropped.append(Dropped("output_config.effort", "the request asks not to think"))
            return Thinking("none")
        case "enabled":
            if effort:
                dropped.append(Dropped("output_config.effort", THE_BUDGET_SAYS_IT))
            return Thinking("", budget, shown)
        case "adaptive":
            return Thinking(effort or "high", None, shown)
        case _:
            raise CannotCarry(
                "thinking.type",
                f'is "{kind[:40]}", which cannot be carried',
                "Use enabled, adaptive or disabled.",
            )
