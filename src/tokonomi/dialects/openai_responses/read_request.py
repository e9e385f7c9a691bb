"""OpenAI's responses, read: a client's request becomes our neutral form."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Final

from tokonomi.dialects.cache_marker import cache_time
from tokonomi.dialects.conversation import (
    Citation,
    ContextSize,
    Conversation,
    Document,
    Effort,
    Image,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from tokonomi.dialects.data_url import split_data_url
from tokonomi.dialects.fields import Fields, objects
from tokonomi.dialects.openai_settings import (
    PRIVATE_RULES,
    SIZES,
    VERBOSITIES,
    metadata_of,
    place_of,
    tier_of,
)
from tokonomi.dialects.reasoning import EFFORTS, OPENAI, unsealed
from tokonomi.dialects.refusal import CannotCarry, Carried, Dropped, Hint, Refused, Rule

_ELSEWHERE: Final = "Leave it out, or use a model whose provider speaks your dialect."
_STATELESS: Final = "Send the whole conversation in `input`."
_ENCRYPTED: Final = "reasoning.encrypted_content"
_SOURCES: Final = "web_search_call.action.sources"
RULES: Final[Mapping[str, Rule]] = {
    "model": Carried("model"),
    "input": Carried("messages"),
    "instructions": Carried("messages"),
    "tools": Carried("tools", also="web_search"),
    "tool_choice": Carried("tool_choice"),
    "parallel_tool_calls": Carried("parallel_tool_calls"),
    "text": Carried("output_format", also="verbosity"),
    "reasoning": Carried("thinking"),
    "max_output_tokens": Carried("max_tokens"),
    "max_tool_calls": Carried("web_search"),
    "temperature": Carried("temperature"),
    "top_p": Carried("top_p"),
    "stream": Carried("stream"),
    "stream_options": Hint("it only pads the events of a stream"),
    **PRIVATE_RULES,
    "include": Refused(
        "asks for more than the answer, its reasoning and its sources",
        _ELSEWHERE,
        harmless=([], [_ENCRYPTED], [_SOURCES], [_ENCRYPTED, _SOURCES], [_SOURCES, _ENCRYPTED]),
    ),
    "truncation": Refused(
        "lets a provider leave out parts of the conversation",
        "Send `truncation: disabled`.",
        harmless=("disabled",),
    ),
    "top_logprobs": Refused(
        "asks for probabilities of tokens, which are not carried across dialects",
        _ELSEWHERE,
        harmless=(0,),
    ),
    "background": Refused(
        "asks for an answer that is fetched later", "Send `background: false`.", harmless=(False,)
    ),
    "background_options": Refused("is about an answer that is fetched later", "Leave it out."),
    "previous_response_id": Refused("names an answer that only its provider has", _STATELESS),
    "conversation": Refused("names a conversation that only its provider has", _STATELESS),
    "prompt": Refused("names a prompt that only its provider has", "Send its text."),
    "context_management": Refused("asks a provider to edit the conversation", _ELSEWHERE),
    "image": Refused("is a setting of one provider's models", _ELSEWHERE),
    "access_programs": Refused("names programs of one provider", _ELSEWHERE),
}
"""Every field of a response request that we know, and what becomes of it across dialects."""

SEARCH_TOOLS: Final = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}


def read(fields: Fields, dropped: list[Dropped]) -> Conversation:
    """The request that the carried fields of a body state.

    Raises:
        CannotCarry: a part of it has no place in another dialect.
    """
    fields.ignore("model")
    tools, search = _tools(fields)
    uses = fields.whole("max_tool_calls")
    if uses is not None and search is not None:
        search = replace(search, max_uses=uses)
    elif uses is not None:
        dropped.append(Dropped("max_tool_calls", "there is no tool that it could limit"))
    text = fields.child("text") or Fields({}, "text")
    choice = fields.take("tool_choice")
    conversation = Conversation(
        messages=(*_instructions(fields), *_messages(fields, dropped)),
        tools=tools,
        tool_choice=None if choice is None else _tool_choice(choice),
        parallel_tool_calls=fields.flag("parallel_tool_calls"),
        output_format=_output_format(text.child("format")),
        thinking=_thinking(fields.child("reasoning")),
        web_search=search,
        max_tokens=fields.whole("max_output_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        verbosity=text.choice("verbosity", VERBOSITIES, ""),
        user=fields.text("safety_identifier") or fields.text("user"),
        metadata=metadata_of(fields),
        service_tier=tier_of(fields),
        cache_key=fields.text("prompt_cache_key"),
        stream=bool(fields.flag("stream")),
        wants_usage=True,
    )
    fields.ignore("user")
    text.done()
    return conversation


def _instructions(fields: Fields) -> Iterator[Message]:
    if text := fields.text("instructions"):
        yield Message("system", (Text(text),), "instructions")


def _messages(fields: Fields, dropped: list[Dropped]) -> Iterator[Message]:
    """The turns: what the model wrote in a row is one, and so are the results after it."""
    value = fields.take("input")
    if isinstance(value, str):
        yield Message("user", (Text(value),), "input")
        return
    items = [item for each in objects(value, "input") for item in _item(each, dropped)]
    for role, group in groupby(items, key=lambda item: item.role):
        if role in {"user", "system"}:
            yield from group
        else:
            turns = [*group]
            yield replace(turns[0], parts=tuple(p for turn in turns for p in turn.parts))


def _item(item: Fields, dropped: list[Dropped]) -> Iterator[Message]:
    kind, at = item.text("type") or "message", item.path
    match kind:
        case "message":
            role: Role = item.choice("role", _ROLES, "user")
            yield Message(role, tuple(_content(item, "content")), at)
        case "function_call":
            yield Message("assistant", (_tool_call(item),), at)
        case "function_call_output":
            yield Message("tool", (_tool_result(item),), at)
        case "reasoning":
            yield Message("assistant", tuple(_reasoning(item)), at)
        case "web_search_call":
            reason = "the search was another provider's; what it found stands in the text"
            dropped.append(Dropped(at, reason))
            return
        case _:
            raise CannotCarry(
                at,
                f'is of type "{kind[:40]}", which cannot be carried',
                "Send messages, reasoning, function calls and their outputs only.",
            )
    item.ignore("id", "status", "phase")
    item.done()


def _content(item: Fields, key: str) -> Iterator[Part]:
    content = item.take(key)
    if isinstance(content, str):
        if content:
            yield Text(content)
    elif content is not None:
        for part in objects(content, item.at(key)):
            yield _part(part)
            part.done()


def _part(part: Fields) -> Part:
    kind = part.needed_text("type")
    match kind:
        case "input_text" | "text":
            return Text(part.needed_text("text"), cache=cache_time(part))
        case "output_text":
            part.ignore("logprobs")
            return Text(part.needed_text("text"), tuple(_citations(part)), cache_time(part))
        case "refusal":
            return Refusal(part.needed_text("refusal"))
        case "input_image":
            return _image(part)
        case "input_file":
            return _document(part)
        case _:
            raise CannotCarry(
                part.path,
                f'is of type "{kind[:40]}", which cannot be carried',
                "Use input_text, input_image or input_file.",
            )


def _citations(part: Fields) -> Iterator[Citation]:
    for source in part.children("annotations"):
        if source.needed_text("type") != "url_citation":
            raise CannotCarry(source.path, "cites a file of one provider", "Leave it out.")
        yield Citation(
            source.needed_text("url"),
            source.text("title"),
            source.whole("start_index") or 0,
            source.whole("end_index") or 0,
        )
        source.done()


def _of_one_provider(part: Fields) -> None:
    if part.text("file_id"):
        raise CannotCarry(
            part.at("file_id"), "names a file that only its provider has", "Send the file itself."
        )


def _image(part: Fields) -> Image:
    _of_one_provider(part)
    url, detail = part.needed_text("image_url"), part.text("detail").removeprefix("auto")
    media_type, data = split_data_url(url)
    if data:
        return Image("", data, media_type, detail, cache_time(part))
    return Image(url, detail=detail, cache=cache_time(part))


def _document(part: Fields) -> Document:
    _of_one_provider(part)
    name, url, data = part.text("filename"), part.text("file_url"), part.text("file_data")
    part.choice("detail", {"auto": True}, default=True)
    if url:
        return Document(url, name=name, cache=cache_time(part))
    media_type, base64 = split_data_url(data)
    if not base64:
        raise CannotCarry(part.path, "holds no document", "Send `file_url`, or a data URL.")
    return Document("", base64, "", media_type, name, cache_time(part))


def _tool_call(item: Fields) -> ToolCall:
    item.ignore("caller")
    return ToolCall(item.needed_text("call_id"), item.needed_text("name"), item.text("arguments"))


def _tool_result(item: Fields) -> ToolResult:
    parts: list[Text | Image | Document] = []
    for part in _content(item, "output"):
        if not isinstance(part, Text | Image | Document):
            raise CannotCarry(item.at("output"), "holds more than text and files", _ELSEWHERE)
        parts.append(part)
    item.ignore("caller", "name")
    return ToolResult(item.needed_text("call_id"), tuple(parts))


def _reasoning(item: Fields) -> Iterator[Reasoning]:
    """The pieces of an item; a proof of another maker's was sealed into the encrypted content."""
    name, sealed = item.text("id"), item.text("encrypted_content")
    texts = [_piece(piece) for piece in item.children("content")]
    summaries = [_piece(piece) for piece in item.children("summary")]
    proof = unsealed("".join(texts or summaries), sealed, OPENAI)
    if sealed and proof.signature != sealed:
        yield proof
        return
    maker = OPENAI if sealed else ""
    yield from (Reasoning("summary", text, "", maker, name) for text in summaries)
    yield from (Reasoning("text", text, "", maker, name) for text in texts)
    if sealed:
        yield Reasoning("encrypted", sealed, "", OPENAI, name)


def _piece(piece: Fields) -> str:
    text = piece.needed_text("text")
    piece.ignore("type")
    piece.done()
    return text


def _tools(fields: Fields) -> tuple[tuple[Tool, ...], WebSearch | None]:
    tools: list[Tool] = []
    search: WebSearch | None = None
    for tool in fields.children("tools"):
        kind = tool.needed_text("type")
        if kind in SEARCH_TOOLS:
            search = _web_search(tool)
        elif kind == "function":
            tools.append(
                Tool(
                    tool.needed_text("name"),
                    tool.text("description"),
                    tool.json_object("parameters"),
                    tool.flag("strict"),
                )
            )
        else:
            raise CannotCarry(
                tool.path,
                f'is of type "{kind[:40]}", a tool that other providers do not have',
                "Use function tools, or a model whose provider speaks your dialect.",
            )
        tool.done()
    return tuple(tools), search


def _web_search(tool: Fields) -> WebSearch:
    size: ContextSize = tool.choice("search_context_size", SIZES, "")
    if tool.flag("external_web_access") is False:
        raise CannotCarry(
            tool.at("external_web_access"), "asks to search a stored copy of the web", _ELSEWHERE
        )
    filters = tool.child("filters") or Fields({}, tool.at("filters"))
    domains = filters.texts("allowed_domains")
    filters.done()
    return WebSearch(size, place_of(tool), domains)


def _tool_choice(value: object) -> ToolChoice:
    match value:
        case "auto":
            return ToolChoice("auto")
        case "none":
            return ToolChoice("none")
        case "required":
            return ToolChoice("required")
        case _:
            choice = Fields(value, "tool_choice")
            choice.choice("type", {"function": True}, default=True)
            name = choice.needed_text("name")
            choice.done()
            return ToolChoice("named", name)


def _output_format(form: Fields | None) -> OutputFormat | None:
    if form is None:
        return None
    kinds = {"text": "", "json_object": "any", "json_schema": "schema"}
    kind = form.choice("type", kinds, "")
    read = OutputFormat()
    if kind == "schema":
        read = OutputFormat(
            form.json_object("schema") or {},
            form.text("name"),
            form.text("description"),
            form.flag("strict"),
        )
    form.done()
    return read if kind else None


def _thinking(settings: Fields | None) -> Thinking | None:
    if settings is None:
        return None
    effort: Effort = settings.choice("effort", EFFORTS, "")
    summary = settings.text("summary") or settings.text("generate_summary")
    settings.ignore("generate_summary")
    settings.choice("context", {"auto": True}, default=True)
    settings.choice("mode", {"standard": True}, default=True)
    settings.done()
    if not effort and not summary:
        return None
    return Thinking(effort, shown=True if summary else None)
