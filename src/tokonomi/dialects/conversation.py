"""A request in our own neutral form: what every dialect is read into and written from.

It holds what at least two dialects can say. Values compare by what they mean, so a request that is
written in a dialect and read back is the same value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal

Role = Literal["system", "user", "assistant", "tool"]
CacheTime = Literal["", "5m", "1h"]
"""A prompt-cache marker after a part: none, or for how long the provider should keep it."""
ReasoningKind = Literal["text", "summary", "encrypted"]
Effort = Literal["", "none", "minimal", "low", "medium", "high", "xhigh", "max"]
ServiceTier = Literal["", "auto", "standard", "flex", "priority"]
ContextSize = Literal["", "low", "medium", "high"]
Verbosity = Literal["", "low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A source on the web of a piece of a text.

    Attributes:
        start: the first character of the piece in its text.
        end: the character after its last one.
        quote: words of the source.
    """

    url: str
    title: str = ""
    start: int = 0
    end: int = 0
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Text of any role."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: CacheTime = ""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture, at an address or as base64 with its media type."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""
    cache: CacheTime = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: at an address, as base64 with its media type, or as plain text."""

    url: str = ""
    data: str = ""
    text: str = ""
    media_type: str = ""
    name: str = ""
    cache: CacheTime = ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of a model's reasoning.

    Attributes:
        kind: readable text, a summary of it, or a form that only its maker can read.
        text: the text, or the encrypted form.
        signature: the maker's proof of the text, which it wants back with it.
        maker: whose signature or encryption it is; see `reasoning`.
        id: the maker's name of it, or the tool call that it belongs to.
    """

    kind: ReasoningKind
    text: str
    signature: str = ""
    maker: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model wants to be made; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str
    cache: CacheTime = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words for not answering."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool call."""

    call_id: str
    parts: tuple[Text | Image | Document, ...]
    is_error: bool = False
    cache: CacheTime = ""


Part = Text | Image | Document | Reasoning | ToolCall | Refusal | ToolResult


PARTS: Final[Mapping[Role, tuple[type[Part], ...]]] = {
    "system": (Text,),
    "user": (Text, Image, Document),
    "assistant": (Text, Reasoning, ToolCall, Refusal),
    "tool": (ToolResult,),
}
"""What a turn of each role may hold. `translate.read_request` refuses the rest, so that a writer
meets nothing for which its dialect has no place."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `at` is where the client wrote it, for errors; it is no part of the meaning."""

    role: Role
    parts: tuple[Part, ...]
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, object] | None = None
    strict: bool | None = None
    cache: CacheTime = ""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model may, must or must not call a tool; `name` is for `named`."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """JSON as the answer: by a schema, or any object when there is none."""

    schema: dict[str, object] | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much a model reasons before it answers.

    Attributes:
        effort: in words; empty when it is not said.
        budget: in tokens, when it is said so.
        shown: whether the reasoning comes with the answer; `None` when it is not said.
    """

    effort: Effort = ""
    budget: int | None = None
    shown: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """About where the person is who asks, for a search."""

    city: str = ""
    region: str = ""
    country: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class WebSearch:
    """A request to search the web.

    Attributes:
        context_size: how much of what is found is read.
        place: where the person is who asks.
        allowed_domains: only these are searched.
        blocked_domains: these are not searched.
        max_uses: searches at most.
        engine: OpenRouter's engine, when the client named one.
        max_results: results of a search at most, when the client said so.
    """

    context_size: ContextSize = ""
    place: Place | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    max_uses: int | None = None
    engine: str = ""
    max_results: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A request. What is `None` or empty was not said."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output_format: OutputFormat | None = None
    thinking: Thinking | None = None
    web_search: WebSearch | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    verbosity: Verbosity = ""
    user: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    service_tier: ServiceTier = ""
    cache_key: str = ""
    stream: bool = False
    wants_usage: bool = False


_HOW_IT_COMES: Final = frozenset({"stream", "wants_usage"})
FEATURES: Final = tuple(
    each.name for each in fields(Conversation) if each.name not in _HOW_IT_COMES
)
"""The names of everything that a request can say."""


def said(conversation: Conversation) -> Iterator[str]:
    """The features that a request uses, in their order."""
    for name in FEATURES:
        value: object = getattr(conversation, name)
        if value is not None and value not in ((), ""):
            yield name
