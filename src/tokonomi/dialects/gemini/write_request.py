"""Gemini's generateContent, written: our neutral form becomes a request to a provider."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tokonomi.dialects.conversation import (
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
from tokonomi.dialects.destination import Destination
from tokonomi.dialects.reasoning import (
    BUDGET_OF_EFFORT,
    GEMINI_LEVELS,
    GOOGLE,
    effort_of,
    takes_thinking_budget,
)
from tokonomi.dialects.refusal import (
    CACHE_BY_ITSELF,
    CACHE_MARKERS,
    NO_COUNTERPART,
    CannotCarry,
    Dropped,
    Hint,
    Limit,
    Refused,
)
from tokonomi.dialects.tool_arguments import arguments_of

Json = dict[str, object]
LIMITS: Final[Mapping[str, Limit]] = {
    CACHE_MARKERS: CACHE_BY_ITSELF,
    "verbosity": Refused(NO_COUNTERPART, "Say in the prompt how long the answer should be."),
    "parallel_tool_calls": Refused(
        "limits the tool calls of an answer, which Gemini cannot",
        "Leave it out.",
        harmless=(True,),
    ),
    "service_tier": Refused(
        "names a tier of another provider", "Leave it out.", harmless=("auto", "standard")
    ),
    "user": Hint("who asks changes no answer"),
    "metadata": Hint("notes of the client's own change no answer"),
    "cache_key": CACHE_BY_ITSELF,
}

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "pdf": "application/pdf",
    "png": "image/png",
    "webp": "image/webp",
}
NO_SIGNATURE: Final = "skip_thought_signature_validator"
"""What Gemini 3 takes in place of its signature, for a call that another model made ("Thought
signatures", on history from other models)."""


def limits(to: Destination) -> Mapping[str, Limit]:  # noqa: ARG001 - all are told alike
    """What Gemini cannot be told."""
    return LIMITS


def write(conversation: Conversation, to: Destination, dropped: list[Dropped]) -> Json:
    """The body of a request; the model is in the path.

    Raises:
        CannotCarry: a part of the request has no counterpart here.
    """
    system, turns = _instructions(conversation.messages)
    writer = _ContentWriter(conversation.messages, to.model, dropped)
    body: Json = {"contents": [writer.write(turn) for turn in turns]}
    if system:
        body["systemInstruction"] = {"parts": [{"text": part.text} for part in system]}
    tools = [*_tools(conversation, dropped)]
    if tools:
        body["tools"] = tools
    calling = _calling(conversation.tool_choice, conversation.tools)
    if calling:
        body["toolConfig"] = {"functionCallingConfig": calling}
    if writer.markers_lost or any(tool.cache for tool in conversation.tools):
        dropped.append(Dropped("cache_control", CACHE_BY_ITSELF.reason))
    settings = _settings(conversation, to, dropped)
    if settings:
        body["generationConfig"] = settings
    return body


def _instructions(messages: Sequence[Message]) -> tuple[list[Text], Sequence[Message]]:
    """The instructions before the conversation, and the turns.

    Raises:
        CannotCarry: there are instructions in the middle.
    """
    count = next((i for i, each in enumerate(messages) if each.role != "system"), len(messages))
    for turn in messages[count:]:
        if turn.role == "system":
            raise CannotCarry(
                turn.at,
                "gives instructions in the middle, and Gemini takes them before the conversation",
                "Move it to the front, or send it as the user.",
            )
    texts = [part for each in messages[:count] for part in each.parts if isinstance(part, Text)]
    return texts, messages[count:]


class _ContentWriter:
    """Writes turns, with the names of calls for their results, and the signatures of calls."""

    def __init__(self, messages: Sequence[Message], model: str, dropped: list[Dropped]) -> None:
        self._dropped = dropped
        self._strict = not takes_thinking_budget(model)
        parts = [part for message in messages for part in message.parts]
        self._names = {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        self.markers_lost = any(_marked(part) for part in parts)

    def write(self, turn: Message) -> Json:
        if turn.role == "assistant":
            return {"role": "model", "parts": [*self._model_parts(turn)]}
        return {"role": "user", "parts": [self._part(part, turn.at) for part in turn.parts]}

    def _model_parts(self, turn: Message) -> Iterator[Json]:
        pieces = [part for part in turn.parts if isinstance(part, Reasoning)]
        if any(piece.maker != GOOGLE or piece.kind != "encrypted" for piece in pieces):
            reason = "of earlier reasoning Gemini takes back only its own signatures"
            self._dropped.append(Dropped(f"{turn.at}.reasoning", reason))
        ours = [piece for piece in pieces if piece.maker == GOOGLE and piece.kind == "encrypted"]
        of_calls = {piece.id: piece.text for piece in ours if piece.id}
        first = True
        for part in turn.parts:
            match part:
                case Reasoning():
                    continue
                case ToolCall():
                    signature = of_calls.get(part.id, "")
                    # Of parallel calls only the first one is signed.
                    if not signature and first and self._strict:
                        signature = NO_SIGNATURE
                    first = False
                    call = {"name": part.name, "args": arguments_of(part, turn.at)}
                    written: Json = {"functionCall": call}
                    yield {**written, "thoughtSignature": signature} if signature else written
                case _:
                    yield self._part(part, turn.at)
        for piece in ours:
            if not piece.id:
                yield {"text": "", "thoughtSignature": piece.text}

    def _part(self, part: Part, at: str) -> Json:
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"text": text}
            case Image() | Document():
                return _media(part)
            case _:
                assert isinstance(part, ToolResult), "the model's own parts are written apart"
                return {"functionResponse": self._response(part, at)}

    def _response(self, result: ToolResult, at: str) -> Json:
        name = self._names.get(result.call_id)
        if name is None:
            raise CannotCarry(
                at,
                f'is the result of the call "{result.call_id[:40]}", which is not in the request',
                "Send the turn with the call too.",
            )
        text = "".join(part.text for part in result.parts if isinstance(part, Text))
        media = [_media(part) for part in result.parts if not isinstance(part, Text)]
        response: Json = {
            "name": name,
            "response": {"error" if result.is_error else "output": text},
        }
        return {**response, "parts": media} if media else response


def _marked(part: Part) -> bool:
    if isinstance(part, ToolResult) and any(inner.cache for inner in part.parts):
        return True
    return not isinstance(part, Reasoning | Refusal) and part.cache != ""


def _media(part: Image | Document) -> Json:
    if isinstance(part, Document) and part.text:
        return {"text": f"{part.name}\n\n{part.text}" if part.name else part.text}
    if part.url:
        ending = part.url.partition("?")[0].rpartition(".")[2].lower()
        kind = part.media_type or _MEDIA_TYPES.get(ending)
        named: Json = {"mimeType": kind} if kind else {}
        return {"fileData": {**named, "fileUri": part.url}}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _tools(conversation: Conversation, dropped: list[Dropped]) -> Iterator[Json]:
    if conversation.tools:
        yield {"functionDeclarations": [_declaration(tool) for tool in conversation.tools]}
    if conversation.web_search is not None:
        yield {"googleSearch": _google_search(conversation.web_search, dropped)}


def _declaration(tool: Tool) -> Json:
    written: Json = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.parameters is not None:
        written["parametersJsonSchema"] = tool.parameters
    return written


def _google_search(search: WebSearch, dropped: list[Dropped]) -> Json:
    if search.allowed_domains or search.blocked_domains or search.max_uses is not None:
        raise CannotCarry(
            "web_search",
            "limits searches or their domains, which Gemini cannot be told",
            "Leave these settings out.",
        )
    for name in ("context_size", "place", "engine", "max_results"):
        if getattr(search, name):
            reason = "Gemini's search has no such setting; it searches all the same"
            dropped.append(Dropped(f"web_search.{name}", reason))
    return {}


def _calling(choice: ToolChoice | None, tools: Sequence[Tool]) -> Json:
    mode = choice.mode if choice else "auto"
    match mode:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "named":
            assert choice is not None, "a name comes with a choice"
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case "auto":
            # Arguments are held to a strict schema only in this mode, or when a call is a must.
            if any(tool.strict for tool in tools):
                return {"mode": "VALIDATED"}
            return {"mode": "AUTO"} if choice else {}


def _settings(conversation: Conversation, to: Destination, dropped: list[Dropped]) -> Json:
    named: Json = {
        "maxOutputTokens": to.limit(conversation.max_tokens),
        "temperature": conversation.temperature,
        "topP": conversation.top_p,
        "topK": conversation.top_k,
        "frequencyPenalty": conversation.frequency_penalty,
        "presencePenalty": conversation.presence_penalty,
        "seed": conversation.seed,
        "stopSequences": list(conversation.stop) or None,
    }
    written = {name: value for name, value in named.items() if value is not None}
    if conversation.output_format is not None:
        written |= _output_format(conversation.output_format, dropped)
    if conversation.thinking is not None:
        written["thinkingConfig"] = _thinking(conversation.thinking, to.model)
    return written


def _output_format(form: OutputFormat, dropped: list[Dropped]) -> Json:
    dropped += (
        Dropped(f"output_format.{name}", "Gemini's schema has no such field")
        for name in ("name", "description", "strict")
        if getattr(form, name)
    )
    schema = {} if form.schema is None else {"responseJsonSchema": form.schema}
    return {"responseMimeType": "application/json", **schema}


def _thinking(thinking: Thinking, model: str) -> Json:
    effort = effort_of(thinking)
    written: Json = {}
    if takes_thinking_budget(model):
        budget = thinking.budget
        if budget is None and effort:
            budget = BUDGET_OF_EFFORT[effort]
        if budget is not None:
            written["thinkingBudget"] = budget
    elif effort:
        written["thinkingLevel"] = GEMINI_LEVELS[effort]
    if effort != "none" and thinking.shown is not False:
        written["includeThoughts"] = True
    return written
