"""OpenAI's responses, written: our neutral form becomes a request to a provider."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from tokonomi.dialects.conversation import (
    Citation,
    Conversation,
    Document,
    Image,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from tokonomi.dialects.data_url import data_url
from tokonomi.dialects.destination import Destination
from tokonomi.dialects.openai_settings import TIER_NAMES, place_fields
from tokonomi.dialects.reasoning import OPENAI, effort_of
from tokonomi.dialects.refusal import (
    CACHE_BY_ITSELF,
    CACHE_MARKERS,
    NO_COUNTERPART,
    CannotCarry,
    Dropped,
    Limit,
    Refused,
)

Json = dict[str, object]
_LEAVE_OUT: Final = "Leave it out, or use a model whose provider knows it."
LIMITS: Final[Mapping[str, Limit]] = {
    CACHE_MARKERS: CACHE_BY_ITSELF,
    "top_k": Refused(NO_COUNTERPART, _LEAVE_OUT),
    "frequency_penalty": Refused(NO_COUNTERPART, _LEAVE_OUT, harmless=(0.0,)),
    "presence_penalty": Refused(NO_COUNTERPART, _LEAVE_OUT, harmless=(0.0,)),
    "seed": Refused("asks for an answer that can be repeated, which responses cannot", _LEAVE_OUT),
    "stop": Refused("ends an answer at a text, which responses cannot", _LEAVE_OUT),
}


def limits(to: Destination) -> Mapping[str, Limit]:  # noqa: ARG001 - all are told alike
    """What responses cannot be told."""
    return LIMITS


def write(conversation: Conversation, to: Destination, dropped: list[Dropped]) -> Json:
    """The body of a request.

    Raises:
        CannotCarry: a part of the request has no counterpart here.
    """
    writer = _ItemWriter(dropped)
    items = [item for message in conversation.messages for item in writer.write(message)]
    body: Json = {"model": to.model, "input": items, "store": False}
    if writer.markers_lost or any(tool.cache for tool in conversation.tools):
        dropped.append(Dropped("cache_control", CACHE_BY_ITSELF.reason))
    tools = [_tool(tool) for tool in conversation.tools]
    if conversation.web_search is not None:
        tools.append(_web_search(conversation.web_search, dropped))
        if conversation.web_search.max_uses is not None:
            body["max_tool_calls"] = conversation.web_search.max_uses
    if tools:
        body["tools"] = tools
    if conversation.tool_choice is not None:
        body["tool_choice"] = _tool_choice(conversation.tool_choice)
    if conversation.thinking is not None:
        body["reasoning"] = _thinking(conversation.thinking)
    if writer.reasons or (conversation.thinking and effort_of(conversation.thinking) != "none"):
        # Nothing is stored, so the next turn needs the reasoning itself.
        body["include"] = ["reasoning.encrypted_content"]
    return body | _settings(conversation, to)


def _settings(conversation: Conversation, to: Destination) -> Json:
    text: Json = {}
    if conversation.output_format is not None:
        text["format"] = _output_format(conversation.output_format)
    if conversation.verbosity:
        text["verbosity"] = conversation.verbosity
    tier = conversation.service_tier
    named: Json = {
        "max_output_tokens": to.limit(conversation.max_tokens),
        "parallel_tool_calls": conversation.parallel_tool_calls,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "text": text or None,
        "user": conversation.user or None,
        "metadata": dict(conversation.metadata) or None,
        "service_tier": TIER_NAMES[tier] if tier else None,
        "prompt_cache_key": conversation.cache_key or None,
        "stream": conversation.stream or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def annotation(citation: Citation) -> Json:
    """A source on the web in the form of responses."""
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }


class _ItemWriter:
    """Writes turns as items, and notes what it leaves out."""

    def __init__(self, dropped: list[Dropped]) -> None:
        self._dropped = dropped
        self.markers_lost = False
        self.reasons = False

    def write(self, message: Message) -> Iterator[Json]:
        match message.role:
            case "system" | "user":
                content = [self._input(part) for part in message.parts]
                yield {"type": "message", "role": message.role, "content": content}
            case "tool":
                for part in message.parts:
                    assert isinstance(part, ToolResult), "a turn of tools holds results only"
                    yield self._result(part, message.at)
            case "assistant":
                yield from self._assistant(message)

    def _assistant(self, message: Message) -> Iterator[Json]:
        for kind, group in groupby(message.parts, key=_item_of):
            match kind:
                case "reasoning":
                    pieces = [part for part in group if isinstance(part, Reasoning)]
                    yield from self._reasoning(pieces, message.at)
                case "function_call":
                    yield from (self._call(part) for part in group if isinstance(part, ToolCall))
                case _:
                    content = [self._output(part) for part in group]
                    yield {"type": "message", "role": "assistant", "content": content}

    def _reasoning(self, pieces: Sequence[Reasoning], at: str) -> Iterator[Json]:
        for name, group in groupby(pieces, key=lambda piece: piece.id):
            item = reasoning_item(name, [*group])
            if item is None:
                reason = "this provider takes only reasoning that it encrypted itself"
                self._dropped.append(Dropped(f"{at}.reasoning", reason))
            else:
                self.reasons = True
                yield item

    def _call(self, call: ToolCall) -> Json:
        self._lose(call.cache)
        arguments = call.arguments or "{}"
        named: Json = {"call_id": call.id, "name": call.name, "arguments": arguments}
        return {"type": "function_call", **named}

    def _result(self, result: ToolResult, at: str) -> Json:
        self._lose(result.cache)
        if result.is_error:
            reason = "responses have no flag for it; the result's text tells the error"
            self._dropped.append(Dropped(f"{at}.is_error", reason))
        output: object = [self._input(part) for part in result.parts]
        match result.parts:
            case [Text(text=text)]:
                self._lose(result.parts[0].cache)
                output = text
            case []:
                output = ""
            case _:
                pass
        return {"type": "function_call_output", "call_id": result.call_id, "output": output}

    def _input(self, part: Part) -> Json:
        match part:
            case Text(text=text, cache=cache):
                self._lose(cache)
                return {"type": "input_text", "text": text}
            case Image(cache=cache):
                self._lose(cache)
                url = part.url or data_url(part.media_type, part.data)
                return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
            case _:
                assert isinstance(part, Document), "calls and reasoning are written apart"
                self._lose(part.cache)
                return _document(part)

    def _output(self, part: Part) -> Json:
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        assert isinstance(part, Text), "the model sends no pictures and documents"
        self._lose(part.cache)
        sources = [annotation(each) for each in part.citations]
        return {"type": "output_text", "text": part.text, "annotations": sources}

    def _lose(self, cache: str) -> None:
        self.markers_lost = self.markers_lost or cache != ""


def _item_of(part: Part) -> str:
    match part:
        case Reasoning():
            return "reasoning"
        case ToolCall():
            return "function_call"
        case _:
            return "message"


def reasoning_item(name: str, pieces: Sequence[Reasoning]) -> Json | None:
    """An item of OpenAI's own reasoning, or `None` when its encrypted form is not there."""
    encrypted = [p.text for p in pieces if p.kind == "encrypted" and p.maker == OPENAI]
    if not encrypted:
        return None
    summaries = [p.text for p in pieces if p.kind == "summary"]
    return {
        "type": "reasoning",
        "id": name,
        "summary": [{"type": "summary_text", "text": text} for text in summaries],
        "encrypted_content": "".join(encrypted),
    }


def _document(part: Document) -> Json:
    if part.text:
        text = f"{part.name}\n\n{part.text}" if part.name else part.text
        return {"type": "input_text", "text": text}
    named: Json = {"filename": part.name} if part.name else {}
    if part.url:
        return {"type": "input_file", "file_url": part.url, **named}
    return {"type": "input_file", "file_data": data_url(part.media_type, part.data), **named}


def _tool(tool: Tool) -> Json:
    written: Json = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    # What is left out here would be strict, which it is nowhere else.
    return {**written, "parameters": tool.parameters, "strict": bool(tool.strict)}


def _web_search(search: WebSearch, dropped: list[Dropped]) -> Json:
    if search.blocked_domains:
        raise CannotCarry(
            "web_search", "blocks domains, which OpenAI's search cannot", "Name allowed domains."
        )
    dropped += (
        Dropped(
            f"web_search.{name}", "OpenAI's search has no such setting; it searches all the same"
        )
        for name in ("engine", "max_results")
        if getattr(search, name)
    )
    written: Json = {"type": "web_search"}
    if search.context_size:
        written["search_context_size"] = search.context_size
    if search.allowed_domains:
        written["filters"] = {"allowed_domains": list(search.allowed_domains)}
    if search.place is not None:
        written["user_location"] = {"type": "approximate", **place_fields(search.place)}
    return written


def _tool_choice(choice: ToolChoice) -> object:
    return {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode


def _output_format(form: OutputFormat) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    written: Json = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema}
    if form.description:
        written["description"] = form.description
    if form.strict is not None:
        written["strict"] = form.strict
    return written


def _thinking(thinking: Thinking) -> Json:
    effort = effort_of(thinking)
    written: Json = {"effort": effort} if effort else {}
    return {**written, "summary": "auto"} if thinking.shown else written
