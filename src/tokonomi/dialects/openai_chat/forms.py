"""How providers of OpenAI's chat completions differ in what a request may say.

Read in November 2026 from their API references: OpenAI "Create chat completion", OpenRouter
"Parameters", "Reasoning tokens", "Prompt caching" and "Web search", DeepSeek "Thinking mode".
Vercel's gateway takes OpenRouter's cache markers and reasoning ("OpenAI-compatible API").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatForm:
    """What a provider takes.

    Attributes:
        limit_field: its name of the output limit.
        reasoning: `effort` is the field `reasoning_effort`, `object` the object `reasoning`.
        history: the form in which reasoning of earlier turns goes back; empty when it does not.
        cache_markers: whether parts may carry `cache_control`.
        search: how a web search is asked for; empty when it cannot be.
        top_k: whether `top_k` is known.
    """

    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    reasoning: Literal["effort", "object"] = "effort"
    history: Literal["", "details", "content"] = ""
    cache_markers: bool = False
    search: Literal["", "openrouter", "options"] = ""
    top_k: bool = True


_OPENAI: Final = ChatForm(limit_field="max_completion_tokens", search="options", top_k=False)
PLAIN: Final = ChatForm()
FORMS: Final[Mapping[str, ChatForm]] = {
    "openai": _OPENAI,
    "azure": ChatForm(limit_field="max_completion_tokens", top_k=False),
    "openrouter": ChatForm(
        reasoning="object", history="details", cache_markers=True, search="openrouter"
    ),
    "vercel": ChatForm(reasoning="object", history="details", cache_markers=True, top_k=False),
    "deepseek": ChatForm(history="content", top_k=False),
    "mistral": ChatForm(top_k=False),
    "perplexity": ChatForm(search="options"),
}
"""By the provider's name; others are servers that one runs oneself, such as vLLM or llama.cpp."""


def form_of(provider: str) -> ChatForm:
    """What a provider of chat completions takes."""
    return FORMS.get(provider.lower(), PLAIN)
