"""Reasoning across dialects: how much of it is asked for, and whose signature stands under it.

The tables are facts of the providers' documentation, read in November 2026; each names its page.
"""

import re
from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.conversation import Effort, Reasoning, Thinking
from tokonomi.naming import escaped, unescaped

ANTHROPIC: Final = "anthropic-claude-v1"
GOOGLE: Final = "google-gemini-v1"
OPENAI: Final = "openai-responses-v1"
"""Makers of signatures, by OpenRouter's names of their forms ("Reasoning tokens", `format`)."""

EFFORTS: Final[Mapping[str, Effort]] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
"""OpenAI's words (`reasoning_effort`, `reasoning.effort`), which are OpenRouter's too."""

BUDGET_OF_EFFORT: Final[Mapping[Effort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 32768,
}
"""Tokens that an effort stands for: Google's "OpenAI compatibility" names 1,024, 8,192 and 24,576;
what is above it is the most that Gemini 2.5 Pro takes ("Gemini thinking", `thinkingBudget`)."""

GEMINI_LEVELS: Final[Mapping[Effort, str]] = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}
"""Gemini 3 and later take a level and cannot stop thinking ("Gemini thinking", `thinkingLevel`)."""

ANTHROPIC_EFFORTS: Final[Mapping[Effort, Effort]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
"""Claude 4.6 and later think by themselves, as much as an effort says (`output_config.effort`)."""

SHARE_OF_OUTPUT: Final[Mapping[Effort, int]] = {
    "minimal": 10,
    "low": 20,
    "medium": 50,
    "high": 80,
    "xhigh": 95,
    "max": 95,
}
"""Percent of the output limit that older Claudes may think, which take a budget of tokens
(OpenRouter, "Reasoning tokens", how an effort becomes a budget)."""

_STEPS: Final[tuple[Effort, ...]] = ("low", "medium", "high")
THE_BUDGET_SAYS_IT: Final = "the budget says how much to think"
LEAST_ANTHROPIC_BUDGET: Final = 1024
_BUDGET_CLAUDES: Final = re.compile(
    r"claude-3|(?:opus|sonnet|haiku)-4(?:[-.@](?:[0-5]\b|20\d{6})|$)"
)
_BUDGET_GEMINIS: Final = re.compile(r"gemini-[12]\b")
_MAKER: Final = re.compile(r"[a-z]+(?:-[a-z]+)*-v\d+|unknown")
_SEAL_PARTS: Final = 4


def takes_budget(model: str) -> bool:
    """Whether a Claude thinks up to a budget of tokens; those after 4.5 take an effort instead.

    >>> [takes_budget(name) for name in ("claude-sonnet-4-5-20250929", "claude-opus-4-7")]
    [True, False]
    """
    return _BUDGET_CLAUDES.search(model) is not None


def takes_thinking_budget(model: str) -> bool:
    """Whether a Gemini takes a budget of tokens; those after 2.5 take a level instead.

    >>> [takes_thinking_budget(name) for name in ("gemini-2.5-flash", "gemini-3-flash")]
    [True, False]
    """
    return _BUDGET_GEMINIS.search(model) is not None


def effort_of(thinking: Thinking) -> Effort:
    """The effort in words; a budget is the least effort that reaches it.

    >>> effort_of(Thinking(budget=5000))
    'medium'
    """
    if thinking.effort or thinking.budget is None:
        return thinking.effort
    if thinking.budget == 0:
        return "none"
    for effort in _STEPS:
        if thinking.budget <= BUDGET_OF_EFFORT[effort]:
            return effort
    return "xhigh"


def seal(piece: Reasoning, own: str) -> str:
    """One text that holds whose reasoning a piece is, for dialects with room for only a proof.

    The proofs of the dialect's `own` maker stay as they are. `unsealed` is the inverse.
    """
    proof = piece.text if piece.kind == "encrypted" else piece.signature
    if piece.maker == own and piece.kind != "summary" and not piece.id:
        return proof
    if not piece.maker and not piece.id and not proof and piece.kind == "text":
        return ""
    return ":".join((piece.maker or "unknown", piece.kind, escaped(piece.id), proof))


def unsealed(text: str, sealed_text: str, own: str) -> Reasoning:
    """The reasoning with a readable `text` and what `seal` made of the rest."""
    pieces = sealed_text.split(":", _SEAL_PARTS - 1)
    if len(pieces) == _SEAL_PARTS and _MAKER.fullmatch(pieces[0]):
        maker, kind, name, proof = pieces
        known = "" if maker == "unknown" else maker
        match kind:
            case "encrypted":
                return Reasoning("encrypted", proof, "", known, unescaped(name))
            case "summary":
                return Reasoning("summary", text, proof, known, unescaped(name))
            case _:
                return Reasoning("text", text, proof, known, unescaped(name))
    if not sealed_text:
        return Reasoning("text", text)
    return Reasoning("text", text, sealed_text, own)
