"""OpenAI's chat completions, read: a client's request becomes our neutral form."""

from collections.abc import Iterator, Mapping
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
    Place,
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
from tokonomi.dialects.reasoning import EFFORTS, THE_BUDGET_SAYS_IT
from tokonomi.dialects.refusal import CannotCarry, Carried, Dropped, Hint, Refused, Rule
from tokonomi.dialects.web_search import ONLINE

RULES: Final[Mapping[str, Rule]] = {
    "model": Carried("model"),
    "messages": Carried("messages"),
    "tools": Carried("tools"),
    "tool_choice": Carried("tool_choice"),
    "parallel_tool_calls": Carried("parallel_tool_calls"),
    "response_format": Carried("output_format"),
    "reasoning_effort": Carried("thinking"),
    "reasoning": Carried("thinking"),
    "web_search_options": Carried("web_search"),
    "plugins": Carried("web_search"),
    "max_completion_tokens": Carried("max_tokens"),
    "max_tokens": Carried("max_tokens"),
    "temperature": Carried("temperature"),
    "top_p": Carried("top_p"),
    "top_k": Carried("top_k"),
    "frequency_penalty": Carried("frequency_penalty"),
    "presence_penalty": Carried("presence_penalty"),
    "seed": Carried("seed"),
    "stop": Carried("stop"),
    "stream": Carried("stream"),
    "stream_options": Carried("wants_usage"),
    **PRIVATE_RULES,
    "verbosity": Carried("verbosity"),
    "usage": Hint("usage always comes with the answer"),
    "n": Refused(
        "asks for several answers, and across dialects there is one",
        "Send one request for each answer.",
        harmless=(1,),
    ),
    "logprobs": Refused(
        "asks for probabilities of tokens, which are not carried across dialects",
        "Leave it out, or use a model whose provider speaks your dialect.",
        harmless=(False,),
    ),
    "top_logprobs": Refused(
        "asks for probabilities of tokens, which are not carried across dialects",
        "Leave it out, or use a model whose provider speaks your dialect.",
        harmless=(0,),
    ),
    "logit_bias": Refused(
        "names tokens of one model's own vocabulary",
        "Leave it out.",
        harmless=({},),
    ),
    "audio": Refused("asks for speech", "Use a model whose provider speaks your dialect."),
    "modalities": Refused(
        "asks for more than text",
        "Use a model whose provider speaks your dialect.",
        harmless=(["text"],),
    ),
    "prediction": Refused(
        "predicts an answer, which no other dialect can", "Leave it out; it only saves time."
    ),
    "functions": Refused("is the old form of `tools`", "Send `tools`."),
    "function_call": Refused("is the old form of `tool_choice`", "Send `tool_choice`."),
}
"""Every field of a chat completion that we know, and what becomes of it across dialects."""


def read(fields: Fields, dropped: list[Dropped]) -> Conversation:
    """The request that the carried fields of a body state.

    Raises:
        CannotCarry: a part of it has no place in another dialect.
    """
    model = fields.text("model")
    limits = [fields.whole(name) for name in ("max_completion_tokens", "max_tokens")]
    options = fields.child("stream_options")
    choice = fields.take("tool_choice")
    return Conversation(
        messages=tuple(_messages(fields)),
        tools=tuple(_tool(each) for each in fields.children("tools")),
        tool_choice=None if choice is None else _tool_choice(choice),
        parallel_tool_calls=fields.flag("parallel_tool_calls"),
        output_format=_output_format(fields.child("response_format")),
        thinking=_thinking(fields, dropped),
        web_search=_web_search(fields, model),
        max_tokens=next((limit for limit in limits if limit is not None), None),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
        seed=fields.whole("seed"),
        stop=_stop(fields),
        verbosity=fields.choice("verbosity", VERBOSITIES, ""),
        user=fields.text("safety_identifier") or fields.text("user"),
        metadata=metadata_of(fields),
        service_tier=tier_of(fields),
        cache_key=fields.text("prompt_cache_key"),
        stream=bool(fields.flag("stream")),
        wants_usage=options is not None and _wants_usage(options),
    )


def _wants_usage(options: Fields) -> bool:
    wanted = bool(options.flag("include_usage"))
    options.ignore("include_obfuscation")
    options.done()
    return wanted


def _stop(fields: Fields) -> tuple[str, ...]:
    value = fields.take("stop")
    if isinstance(value, str):
        return (value,)
    return () if value is None else Fields({"stop": value}, "").texts("stop")


def _messages(fields: Fields) -> Iterator[Message]:
    results: list[ToolResult] = []
    at = ""
    for message in objects(fields.take("messages"), "messages"):
        role = message.needed_text("role")
        if role == "tool":
            at = at or message.path
            results.append(_tool_result(message))
            continue
        if results:
            yield Message("tool", tuple(results), at)
            results, at = [], ""
        yield _message(message, role)
    if results:
        yield Message("tool", tuple(results), at)


def _message(message: Fields, role: str) -> Message:
    match role:
        case "system" | "developer":
            read = Message("system", tuple(_texts(message)), message.path)
        case "user":
            read = Message("user", tuple(_content(message)), message.path)
        case "assistant":
            read = Message("assistant", tuple(_assistant_parts(message)), message.path)
        case _:
            raise CannotCarry(
                message.at("role"),
                f'is "{role[:40]}", which cannot be carried',
                "Use system, developer, user, assistant or tool.",
            )
    message.done()
    return read


def _content(message: Fields) -> Iterator[Text | Image | Document]:
    content = message.take("content")
    if isinstance(content, str):
        if content:
            yield Text(content)
    elif content is not None:
        for part in objects(content, message.at("content")):
            yield _part(part)
            part.done()


def _texts(message: Fields) -> Iterator[Text]:
    for part in _content(message):
        if not isinstance(part, Text):
            raise CannotCarry(message.at("content"), "holds more than text", "Send text only.")
        yield part


def _part(part: Fields) -> Text | Image | Document:
    kind = part.needed_text("type")
    match kind:
        case "text":
            return Text(part.needed_text("text"), cache=cache_time(part))
        case "image_url":
            return _image(part)
        case "file":
            return _document(part)
        case _:
            raise CannotCarry(
                part.path,
                f'is of type "{kind[:40]}", which cannot be carried',
                "Use text, image_url or file, or a model whose provider speaks your dialect.",
            )


def _image(part: Fields) -> Image:
    source = part.child("image_url") or Fields({}, part.at("image_url"))
    url = source.needed_text("url")
    detail = source.text("detail").removeprefix("auto")
    source.done()
    media_type, data = split_data_url(url)
    if data:
        return Image("", data, media_type, detail, cache_time(part))
    return Image(url, detail=detail, cache=cache_time(part))


def _document(part: Fields) -> Document:
    source = part.child("file") or Fields({}, part.at("file"))
    if source.text("file_id"):
        raise CannotCarry(
            source.at("file_id"), "names a file that only its provider has", "Send `file_data`."
        )
    data = source.needed_text("file_data")
    name = source.text("filename")
    source.done()
    media_type, base64 = split_data_url(data)
    if base64:
        return Document("", base64, "", media_type, name, cache_time(part))
    return Document(data, name=name, cache=cache_time(part))


def _assistant_parts(message: Fields) -> Iterator[Part]:
    yield from _reasoning(message)
    refusal = message.text("refusal")
    citations = tuple(_citations(message))
    content = message.take("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else None
    if content is not None:
        for part in objects(content, message.at("content")):
            if part.needed_text("type") == "refusal":
                refusal += part.needed_text("refusal")
            else:
                yield Text(part.needed_text("text"), citations, cache_time(part))
                citations = ()
            part.done()
    if refusal:
        yield Refusal(refusal)
    for call in message.children("tool_calls"):
        yield _tool_call(call)


def _reasoning(message: Fields) -> Iterator[Reasoning]:
    plain = message.text("reasoning_content") or message.text("reasoning")
    message.ignore("reasoning", "reasoning_content")
    details = [_detail(each) for each in message.children("reasoning_details")]
    if details:
        yield from details
    elif plain:
        yield Reasoning("text", plain)


def _detail(detail: Fields) -> Reasoning:
    kind = detail.needed_text("type")
    maker, name = detail.text("format"), detail.text("id")
    maker = "" if maker == "unknown" else maker
    detail.ignore("index")
    match kind:
        case "reasoning.text":
            read = Reasoning("text", detail.text("text"), detail.text("signature"), maker, name)
        case "reasoning.summary":
            read = Reasoning("summary", detail.text("summary"), "", maker, name)
        case "reasoning.encrypted":
            read = Reasoning("encrypted", detail.needed_text("data"), "", maker, name)
        case _:
            raise CannotCarry(
                detail.path, f'is of type "{kind[:40]}", which is unknown', "Leave it out."
            )
    detail.done()
    return read


def _citations(message: Fields) -> Iterator[Citation]:
    for annotation in message.children("annotations"):
        annotation.choice("type", {"url_citation": True}, default=True)
        source = annotation.child("url_citation") or Fields({}, annotation.at("url_citation"))
        yield Citation(
            source.needed_text("url"),
            source.text("title"),
            source.whole("start_index") or 0,
            source.whole("end_index") or 0,
            source.text("content"),
        )
        source.done()
        annotation.done()


def _tool_call(call: Fields) -> ToolCall:
    call.choice("type", {"function": True}, default=True)
    function = call.child("function") or Fields({}, call.at("function"))
    read = ToolCall(
        call.needed_text("id"),
        function.needed_text("name"),
        function.text("arguments"),
        cache_time(call),
    )
    call.ignore("index")
    function.done()
    call.done()
    return read


def _tool_result(message: Fields) -> ToolResult:
    read = ToolResult(message.needed_text("tool_call_id"), tuple(_content(message)))
    # The old form of function results named the function, which the call itself does.
    message.ignore("name")
    message.done()
    return read


def _tool(tool: Fields) -> Tool:
    kind = tool.needed_text("type")
    if kind != "function":
        raise CannotCarry(
            tool.path,
            f'is of type "{kind[:40]}", a tool that other providers do not have',
            "Use function tools, or a model whose provider speaks your dialect.",
        )
    function = tool.child("function") or Fields({}, tool.at("function"))
    read = Tool(
        function.needed_text("name"),
        function.text("description"),
        function.json_object("parameters"),
        function.flag("strict"),
        cache_time(tool),
    )
    function.done()
    tool.done()
    return read


def _tool_choice(value: object) -> ToolChoice:
    if isinstance(value, str):
        match value:
            case "auto" | "none" | "required":
                return ToolChoice(value)
            case _:
                value = {"type": value}
    choice = Fields(value, "tool_choice")
    choice.choice("type", {"function": True}, default=True)
    function = choice.child("function") or Fields({}, choice.at("function"))
    name = function.needed_text("name")
    function.done()
    choice.done()
    return ToolChoice("named", name)


def _output_format(form: Fields | None) -> OutputFormat | None:
    if form is None:
        return None
    kind = form.choice("type", {"text": "", "json_object": "any", "json_schema": "schema"}, "")
    schema = form.child("json_schema")
    form.done()
    if not kind:
        return None
    if kind == "any":
        return OutputFormat()
    schema = schema or Fields({}, form.at("json_schema"))
    read = OutputFormat(
        schema.json_object("schema") or {},
        schema.text("name"),
        schema.text("description"),
        schema.flag("strict"),
    )
    schema.done()
    return read


def _thinking(fields: Fields, dropped: list[Dropped]) -> Thinking | None:
    effort: Effort = fields.choice("reasoning_effort", EFFORTS, "")
    settings = fields.child("reasoning")
    if settings is None:
        return Thinking(effort) if effort else None
    effort = settings.choice("effort", EFFORTS, effort)
    budget = settings.whole("max_tokens")
    enabled, hidden = settings.flag("enabled"), settings.flag("exclude")
    settings.done()
    if enabled is False:
        return Thinking("none")
    if effort and budget is not None:
        dropped.append(Dropped("reasoning.effort", THE_BUDGET_SAYS_IT))
        effort = ""
    if enabled and not effort and budget is None:
        effort = "medium"
    return Thinking(effort, budget, None if hidden is None else not hidden)


def _web_search(fields: Fields, model: str) -> WebSearch | None:
    options, plugins = fields.child("web_search_options"), [*fields.children("plugins")]
    if options is None and not plugins:
        return WebSearch() if model.endswith(ONLINE) else None
    size: ContextSize = ""
    place: Place | None = None
    if options is not None:
        size, place = options.choice("search_context_size", SIZES, ""), place_of(options)
        options.done()
    engine, results = "", None
    for plugin in plugins:
        plugin.choice("id", {"web": True}, default=False)
        engine, results = plugin.text("engine"), plugin.whole("max_results")
        plugin.done()
    return WebSearch(size, place, engine=engine, max_results=results)
