"""Perplexity's sonar models: chat completions with a usage object of their own.

`completion_tokens` excludes reasoning, and `prompt_tokens` the citations that were read; both stand
at the top of the object, outside its total, and both are billed. Searches are counted.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.adapter import Dialect, UsageAdapter
from tokonomi.providers.json_fields import part_count, reported_count
from tokonomi.providers.openai_chat import CHAT_COUNTS, ChatReading
from tokonomi.providers.openai_usage import Shape
from tokonomi.providers.reported_cost import perplexity_cost


def perplexity(provider: str = "perplexity") -> UsageAdapter:
    """The adapter of Perplexity's chat completions."""
    return UsageAdapter(Dialect.PERPLEXITY, provider, partial(ChatReading, _SHAPE))


def _searches(usage: Mapping[str, object]) -> int:
    # A citation in the reply is the result of a search that is counted or included in the request.
    return part_count(usage, "num_search_queries")


def _as_openai(usage: Mapping[str, object]) -> Mapping[str, object]:
    """The same usage as OpenAI would say it: citations in the prompt, reasoning in the completion.

    Raises:
        ImpossibleUsage: a count is none, or the total is not prompt and completion.
    """
    prompt = reported_count(usage, "prompt_tokens")
    completion = reported_count(usage, "completion_tokens")
    total = reported_count(usage, "total_tokens")
    if prompt is None or completion is None:
        return usage
    reasoning = part_count(usage, "reasoning_tokens")
    if total is not None and prompt + completion != total:
        raise ImpossibleUsage(
            f"{prompt} input + {completion} output = {prompt + completion},"
            f" but the reply's total is {total}"
        )
    return {
        **usage,
        "prompt_tokens": prompt + part_count(usage, "citation_tokens"),
        "completion_tokens": completion + reasoning,
        "total_tokens": None,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


_SHAPE: Final = Shape(
    known=CHAT_COUNTS
    | {
        "citation_tokens",
        "cost",
        "num_search_queries",
        "reasoning_tokens",
        "search_context_size",
    },
    cost=perplexity_cost,
    searches=_searches,
    as_openai=_as_openai,
)
