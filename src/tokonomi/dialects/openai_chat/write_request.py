"""OpenAI's chat completions, written: our neutral form becomes a request to a provider."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from tokonomi.dialects.cache_marker import marker
from tokonomi.dialects.conversation import (
    CacheTime,
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
from tokonomi.dialects.openai_chat.forms import ChatForm, form_of
from tokonomi.dialects.openai_settings import TIER_NAMES, place_fields
from tokonomi.dialects.reasoning import effort_of
from tokonomi.dialects.refusal import (
    CACHE_BY_ITSELF,
    CACHE_MARKERS,
    NO_COUNTERPART,
    CannotCarry,
    Dropped,
    Limit,
    Refused,
)
from tokonomi.dialects.web_search import AUTO_ENGINE, SearchSettings, openrouter_model

Json = dict[str, object]
_ON_THEIR_OWN: Final = "Leave it out, or use a model whose provider knows it."


def limits(to: Destination) -> Mapping[str, Limit]:
    """What a provider of chat completions cannot be told."""
    form = form_of(to.provider)
    found: dict[str, Limit] = {}
    if not form.cache_markers:
        found[CACHE_MARKERS] = CACHE_BY_ITSELF
    if not form.top_k:
        found["top_k"] = Refused(NO_COUNTERPART, _ON_THEIR_OWN)
    if not form.search:
        found["web_search"] = Refused(
            "asks for a web search, which this provider does not make", _ON_THEIR_OWN
        )
    if not to.provider:
        found["cache_key"] = CACHE_BY_ITSELF
    return found


def write(conversation: Conversation, to: Destination, dropped: list[Dropped]) -> Json:
    """The body of a request.

    Raises:
        CannotCarry: a part of the request has no counterpart here.
    """
    form = form_of(to.provider)
    writer = _MessageWriter(form, dropped)
    body: Json = {
        "model": to.model,
        "messages": [each for message in conversation.messages for each in writer.write(message)],
    }
    if conversation.tools:
        body["tools"] = [_tool(tool, form) for tool in conversation.tools]
    if conversation.tool_choice is not None:
        body["tool_choice"] = _tool_choice(conversation.tool_choice)
    if conversation.output_format is not None:
        body["response_format"] = _output_format(conversation.output_format)
    if conversation.thinking is not None:
        body |= _thinking(conversation.thinking, form, dropped)
    if conversation.web_search is not None:
        body |= _web_search(conversation.web_search, to, form, dropped)
    limit = to.limit(conversation.max_tokens)
    if limit is not None:
        body[form.limit_field] = limit
    body |= _settings(conversation)
    if writer.markers_lost or (not form.cache_markers and any(t.cache for t in conversation.tools)):
        dropped.append(Dropped("cache_control", CACHE_BY_ITSELF.reason))
    if conversation.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _settings(conversation: Conversation) -> Json:
    tier = conversation.service_tier
    named: Json = {
        "parallel_tool_calls": conversation.parallel_tool_calls,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "frequency_penalty": conversation.frequency_penalty,
        "presence_penalty": conversation.presence_penalty,
        "seed": conversation.seed,
        "stop": conversation.stop or None,
        "verbosity": conversation.verbosity or None,
        "user": conversation.user or None,
        "metadata": dict(conversation.metadata) or None,
        "service_tier": TIER_NAMES[tier] if tier else None,
        "prompt_cache_key": conversation.cache_key or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def annotation(citation: Citation, offset: int = 0) -> Json:
    """A source in the form of chat completions; `offset` is where its text begins."""
    source: Json = {
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start + offset,
        "end_index": citation.end + offset,
    }
    if citation.quote:
        source["content"] = citation.quote
    return {"type": "url_citation", "url_citation": source}


def detail(piece: Reasoning, index: int) -> Json:
    """A piece of reasoning in OpenRouter's form."""
    named: Json = {"type": f"reasoning.{piece.kind}"}
    match piece.kind:
        case "text":
            named |= {"text": piece.text}
        case "summary":
            named |= {"summary": piece.text}
        case "encrypted":
            named |= {"data": piece.text}
    if piece.signature:
        named["signature"] = piece.signature
    if piece.id:
        named["id"] = piece.id
    return {**named, "format": piece.maker or "unknown", "index": index}


class _MessageWriter:
    """Writes turns for one provider, and notes what it leaves out."""

    def __init__(self, form: ChatForm, dropped: list[Dropped]) -> None:
        self._form = form
        self._dropped = dropped
        self.markers_lost = False

    def write(self, message: Message) -> Iterator[Json]:
        match message.role:
            case "system" | "user":
                yield {"role": message.role, "content": self._content(message.parts, message.at)}
            case "assistant":
                yield self._assistant(message)
            case "tool":
                yield from self._results(message)

    def _results(self, message: Message) -> Iterator[Json]:
        for part in message.parts:
            assert isinstance(part, ToolResult), "a turn of tools holds results only"
            self._marker(part.cache)
            if part.is_error:
                reason = "chat completions have no flag for it; the result's text tells the error"
                self._dropped.append(Dropped(f"{message.at}.is_error", reason))
            content = self._content(part.parts, message.at)
            yield {"role": "tool", "tool_call_id": part.call_id, "content": content}

    def _content(self, parts: Sequence[Part], at: str) -> str | list[Json]:
        match parts:
            case []:
                return ""
            case [Text(text=text, cache="")]:
                return text
            case _:
                return [self._part(part, at) for part in parts]

    def _part(self, part: Part, at: str) -> Json:
        match part:
            case Text(text=text, cache=cache):
                return {"type": "text", "text": text, **self._marker(cache)}
            case Image(cache=cache):
                url = part.url or data_url(part.media_type, part.data)
                image: Json = {"url": url, "detail": part.detail} if part.detail else {"url": url}
                return {"type": "image_url", "image_url": image, **self._marker(cache)}
            case _:
                assert isinstance(part, Document), "calls and reasoning are written apart"
                return self._document(part, at)

    def _document(self, part: Document, at: str) -> Json:
        if part.text:
            text = f"{part.name}\n\n{part.text}" if part.name else part.text
            return {"type": "text", "text": text, **self._marker(part.cache)}
        if part.url:
            raise CannotCarry(
                at,
                "holds a document by its address, which chat completions cannot fetch",
                "Send the document itself as base64.",
            )
        file: Json = {"file_data": data_url(part.media_type, part.data)}
        if part.name:
            file = {"filename": part.name, **file}
        return {"type": "file", "file": file, **self._marker(part.cache)}

    def _marker(self, cache: CacheTime) -> Json:
        if cache and not self._form.cache_markers:
            self.markers_lost = True
            return {}
        return marker(cache)

    def _assistant(self, message: Message) -> Json:
        texts = [part for part in message.parts if isinstance(part, Text)]
        refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        pieces = [part for part in message.parts if isinstance(part, Reasoning)]
        content: str | list[Json] = "".join(text.text for text in texts)
        if self._form.cache_markers and any(text.cache for text in texts):
            content = [self._part(text, message.at) for text in texts]
        written: Json = {"role": "assistant", "content": content or None}
        if sources := annotations(texts):
            written["annotations"] = sources
        if refusals:
            written["refusal"] = "".join(refusals)
        if pieces:
            written |= self._reasoning(pieces, message.at)
        if calls:
            written["tool_calls"] = [self._call(call) for call in calls]
        return written

    def _call(self, call: ToolCall) -> Json:
        function = {"name": call.name, "arguments": call.arguments}
        cache = self._marker(call.cache)
        return {"id": call.id, "type": "function", "function": function, **cache}

    def _reasoning(self, pieces: Sequence[Reasoning], at: str) -> Json:
        match self._form.history:
            case "details":
                return {"reasoning_details": [detail(each, i) for i, each in enumerate(pieces)]}
            case "content":
                readable = [piece.text for piece in pieces if piece.kind != "encrypted"]
                return {"reasoning_content": "".join(readable)} if readable else {}
            case "":
                reason = "this provider does not take the reasoning of earlier turns"
                self._dropped.append(Dropped(f"{at}.reasoning", reason))
                return {}


def annotations(texts: Iterable[Text]) -> list[Json]:
    """The sources of texts that are joined into one."""
    offset, found = 0, list[Json]()
    for text in texts:
        found += [annotation(citation, offset) for citation in text.citations]
        offset += len(text.text)
    return found


def _tool(tool: Tool, form: ChatForm) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    cache = marker(tool.cache) if form.cache_markers else {}
    return {"type": "function", "function": function, **cache}


def _tool_choice(choice: ToolChoice) -> object:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _output_format(form: OutputFormat) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    schema: Json = {"name": form.name or "answer", "schema": form.schema}
    if form.description:
        schema["description"] = form.description
    if form.strict is not None:
        schema["strict"] = form.strict
    return {"type": "json_schema", "json_schema": schema}


def _thinking(thinking: Thinking, form: ChatForm, dropped: list[Dropped]) -> Json:
    if form.reasoning == "effort":
        effort = effort_of(thinking)
        if thinking.shown is not None:
            reason = "this provider alone decides whether reasoning comes with the answer"
            dropped.append(Dropped("thinking.shown", reason))
        return {"reasoning_effort": effort} if effort else {}
    settings: Json = {}
    if thinking.budget is not None:
        settings["max_tokens"] = thinking.budget
    elif thinking.effort:
        settings["effort"] = thinking.effort
    if thinking.shown is not None:
        settings["exclude"] = not thinking.shown
    return {"reasoning": settings}


def _web_search(search: WebSearch, to: Destination, form: ChatForm, dropped: list[Dropped]) -> Json:
    if search.allowed_domains or search.blocked_domains:
        raise CannotCarry(
            "web_search",
            "names domains, which chat completions cannot restrict a search to",
            "Leave the domains out.",
        )
    if form.search == "openrouter":
        return _openrouter_search(search, to, dropped)
    if search.max_uses is not None or search.max_results is not None or search.engine:
        raise CannotCarry(
            "web_search",
            "limits searches, names their number of results or an engine, which this provider"
            " cannot be told",
            "Leave these settings out.",
        )
    options: Json = {}
    if search.context_size:
        options["search_context_size"] = search.context_size
    if search.place is not None:
        options["user_location"] = {
            "type": "approximate",
            "approximate": place_fields(search.place),
        }
    return {"web_search_options": options}


def _openrouter_search(search: WebSearch, to: Destination, dropped: list[Dropped]) -> Json:
    usual = to.search or SearchSettings()
    settings = SearchSettings(
        search.engine or usual.engine or AUTO_ENGINE, search.max_results or usual.max_results
    )
    for name in ("context_size", "place"):
        if getattr(search, name):
            reason = "OpenRouter's search has no such setting; it searches all the same"
            dropped.append(Dropped(f"web_search.{name}", reason))
    model, plugins = openrouter_model(to.model, settings)
    # One search is made for a request, so a limit of uses holds by itself.
    return {"model": model, "plugins": plugins} if plugins else {"model": model}
