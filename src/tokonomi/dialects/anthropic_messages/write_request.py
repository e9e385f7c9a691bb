"""Anthropic's messages, written: our neutral form becomes a request to a provider."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tokonomi.dialects.cache_marker import marker
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
from tokonomi.dialects.openai_settings import place_fields
from tokonomi.dialects.reasoning import (
    ANTHROPIC,
    ANTHROPIC_EFFORTS,
    BUDGET_OF_EFFORT,
    LEAST_ANTHROPIC_BUDGET,
    SHARE_OF_OUTPUT,
    effort_of,
    takes_budget,
)
from tokonomi.dialects.refusal import NO_COUNTERPART, CannotCarry, Dropped, Hint, Limit, Refused
from tokonomi.dialects.tool_arguments import arguments_of

Json = dict[str, object]
_LEAVE_OUT: Final = "Leave it out, or use a model whose provider knows it."
LIMITS: Final[Mapping[str, Limit]] = {
    "frequency_penalty": Refused(NO_COUNTERPART, _LEAVE_OUT, harmless=(0.0,)),
    "presence_penalty": Refused(NO_COUNTERPART, _LEAVE_OUT, harmless=(0.0,)),
    "seed": Refused("asks for an answer that can be repeated, which Anthropic cannot", _LEAVE_OUT),
    "verbosity": Refused(NO_COUNTERPART, "Say in the prompt how long the answer should be."),
    "metadata": Hint("notes of the client's own change no answer"),
    "cache_key": Hint("how a cache is found changes no answer"),
}

_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_HIGHEST_TEMPERATURE: Final = 1
_NO_SCHEMA: Final[Json] = {"type": "object", "properties": {}}


def limits(to: Destination) -> Mapping[str, Limit]:  # noqa: ARG001 - all are told alike
    """What Anthropic cannot be told."""
    return LIMITS


def write(conversation: Conversation, to: Destination, dropped: list[Dropped]) -> Json:
    """The body of a request.

    Raises:
        CannotCarry: a part of the request has no counterpart here.
    """
    limit = to.limit(conversation.max_tokens)
    limit = to.max_tokens if limit is None else limit
    system, turns = _leading_system(conversation.messages)
    body: Json = {"model": to.model, "max_tokens": limit}
    if system:
        body["system"] = [_block(part, "system") for part in system]
    body["messages"] = [*_messages(turns, dropped)]
    tools = [_tool(tool) for tool in conversation.tools]
    if conversation.web_search is not None:
        tools.append(_web_search(conversation.web_search, dropped))
    if tools:
        body["tools"] = tools
    choice = _tool_choice(conversation.tool_choice, conversation.parallel_tool_calls)
    if choice and tools:
        body["tool_choice"] = choice
    elif choice:
        unsaid = (conversation.tool_choice, conversation.parallel_tool_calls)
        dropped += (
            Dropped(name, "there is no tool to choose")
            for name, value in zip(("tool_choice", "parallel_tool_calls"), unsaid, strict=True)
            if value is not None
        )
    config: Json = {}
    if conversation.thinking is not None:
        body["thinking"] = _thinking(conversation.thinking, to.model, limit)
        config |= _effort(conversation.thinking, to.model)
    if conversation.output_format is not None:
        config |= _output_config(conversation.output_format, dropped)
    if config:
        body["output_config"] = config
    return body | _settings(conversation)


def _settings(conversation: Conversation) -> Json:
    temperature = conversation.temperature
    if temperature is not None and temperature > _HIGHEST_TEMPERATURE:
        raise CannotCarry(
            "temperature", f"is {temperature}, and Anthropic's go from 0 to 1", "Send at most 1."
        )
    named: Json = {
        "temperature": temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "stop_sequences": list(conversation.stop) or None,
        "metadata": {"user_id": conversation.user} if conversation.user else None,
        "service_tier": _tier(conversation.service_tier),
        "stream": conversation.stream or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _tier(tier: ServiceTier) -> str | None:
    match tier:
        case "":
            return None
        case "auto":
            return "auto"
        case "standard":
            return "standard_only"
        case "flex" | "priority":
            raise CannotCarry(
                "service_tier", f'is "{tier}", which Anthropic does not offer', "Leave it out."
            )


def _leading_system(
    messages: Sequence[Message],
) -> tuple[tuple[Part, ...], Sequence[Message]]:
    """The instructions before the conversation, and the turns."""
    count = next((i for i, each in enumerate(messages) if each.role != "system"), len(messages))
    return tuple(part for each in messages[:count] for part in each.parts), messages[count:]


def _messages(turns: Sequence[Message], dropped: list[Dropped]) -> Iterator[Json]:
    results: list[Json] = []
    for turn in turns:
        blocks = [*_blocks(turn, dropped)]
        if turn.role == "tool":
            results += blocks
            continue
        if turn.role != "user" and results:
            yield {"role": "user", "content": results}
            results = []
        # What the person says goes with the results that it follows.
        if content := [*results, *blocks]:
            yield {"role": turn.role, "content": content}
        results = []
    if results:
        yield {"role": "user", "content": results}


def _blocks(turn: Message, dropped: list[Dropped]) -> Iterator[Json]:
    for part in turn.parts:
        if isinstance(part, Reasoning) and not _is_ours(part):
            reason = "Anthropic takes only reasoning that it signed itself"
            dropped.append(Dropped(f"{turn.at}.reasoning", reason))
            continue
        yield _block(part, turn.at)


def _is_ours(piece: Reasoning) -> bool:
    proof = piece.kind == "encrypted" or piece.signature != ""
    return proof and piece.maker in {"", ANTHROPIC} and piece.kind != "summary"


def _block(part: Part, at: str) -> Json:  # noqa: C901, PLR0911 - one case for each part
    match part:
        case Text(text=text, citations=citations, cache=cache):
            sources = {"citations": [citation(each) for each in citations]} if citations else {}
            return {"type": "text", "text": text, **sources, **marker(cache)}
        case Image(cache=cache):
            return {"type": "image", "source": _source(part), **marker(cache)}
        case Document(name=name, cache=cache):
            title = {"title": name} if name else {}
            return {"type": "document", "source": _source(part), **title, **marker(cache)}
        case Reasoning(kind="encrypted", text=data):
            return {"type": "redacted_thinking", "data": data}
        case Reasoning(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(cache=cache):
            call = {"id": tool_id(part.id), "name": part.name, "input": arguments_of(part, at)}
            return {"type": "tool_use", **call, **marker(cache)}
        case Refusal(text=text):
            return {"type": "text", "text": text}
        case ToolResult(cache=cache):
            result: Json = {"type": "tool_result", "tool_use_id": tool_id(part.call_id)}
            if part.parts:
                result["content"] = [_block(each, at) for each in part.parts]
            if part.is_error:
                result["is_error"] = True
            return {**result, **marker(cache)}


def citation(source: Citation) -> Json:
    """A source on the web in Anthropic's form; only its own replies carry the encrypted index."""
    return {
        "type": "web_search_result_location",
        "url": source.url,
        "title": source.title or None,
        "cited_text": source.quote,
        "encrypted_index": "",
    }


def tool_id(name: str) -> str:
    """The id of a call in the letters that Anthropic allows; the same for the call and its result.

    >>> tool_id("functions.weather:0")
    'functions_weather_0'
    """
    return _ID.sub("_", name)


def _source(part: Image | Document) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    if isinstance(part, Document) and part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _tool(tool: Tool) -> Json:
    written: Json = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = tool.parameters or _NO_SCHEMA
    if tool.strict is not None:
        written["strict"] = tool.strict
    return {**written, **marker(tool.cache)}


def _web_search(search: WebSearch, dropped: list[Dropped]) -> Json:
    for name in ("context_size", "engine", "max_results"):
        if getattr(search, name):
            reason = "Anthropic's search has no such setting; it searches all the same"
            dropped.append(Dropped(f"web_search.{name}", reason))
    written: Json = {"type": "web_search_20250305", "name": "web_search"}
    if search.max_uses is not None:
        written["max_uses"] = search.max_uses
    if search.allowed_domains:
        written["allowed_domains"] = list(search.allowed_domains)
    if search.blocked_domains:
        written["blocked_domains"] = list(search.blocked_domains)
    if search.place is not None:
        written["user_location"] = {"type": "approximate", **place_fields(search.place)}
    return written


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> Json:  # noqa: FBT001
    if choice is None and parallel is None:
        return {}
    mode = choice.mode if choice else "auto"
    words = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
    written: Json = {"type": words[mode]}
    if choice and choice.name:
        written["name"] = choice.name
    if parallel is not None and mode != "none":
        written["disable_parallel_tool_use"] = not parallel
    return written


def _thinking(thinking: Thinking, model: str, limit: int) -> Json:
    effort = effort_of(thinking)
    if effort == "none":
        return {"type": "disabled"}
    hidden: Json = {"display": "omitted"} if thinking.shown is False else {}
    if takes_budget(model):
        return {"type": "enabled", "budget_tokens": _budget(thinking, effort, limit), **hidden}
    shown: Json = {"display": "summarized"} if thinking.shown else {}
    return {"type": "adaptive", **shown, **hidden}


def _effort(thinking: Thinking, model: str) -> Json:
    effort = effort_of(thinking)
    if takes_budget(model) or effort not in ANTHROPIC_EFFORTS:
        return {}
    return {"effort": ANTHROPIC_EFFORTS[effort]}


def _budget(thinking: Thinking, effort: Effort, limit: int) -> int:
    """Tokens to think with: what was asked for, or the effort's share of the output limit.

    Raises:
        CannotCarry: the limit leaves no room for the least budget.
    """
    if limit <= LEAST_ANTHROPIC_BUDGET:
        raise CannotCarry(
            "thinking",
            f"needs an output limit above {LEAST_ANTHROPIC_BUDGET} tokens, and it is {limit}",
            "Raise the limit, or leave reasoning out.",
        )
    asked = thinking.budget
    if asked is None:
        asked = limit * SHARE_OF_OUTPUT[effort or "medium"] // 100
        asked = min(asked, BUDGET_OF_EFFORT["max"])
    return min(max(asked, LEAST_ANTHROPIC_BUDGET), limit - 1)


def _output_config(form: OutputFormat, dropped: list[Dropped]) -> Json:
    if form.schema is None:
        raise CannotCarry(
            "output_format",
            "asks for any JSON object, and Anthropic answers in JSON by a schema only",
            "Send a JSON schema.",
        )
    dropped += (
        Dropped(f"output_format.{name}", "Anthropic's schema has no such field")
        for name in ("name", "description", "strict")
        if getattr(form, name)
    )
    return {"format": {"type": "json_schema", "schema": form.schema}}
