"""What the turns of a conversation carry: the parts of input and output, turn by turn.

With n turns, a system prompt of s tokens, messages of u and answers of a, full history sends
n s + u n(n+1)/2 + a n(n-1)/2 input tokens: it grows with the square of the turns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic

from tokonomi.errors import BadPlan
from tokonomi.plan.numbers import Arithmetic, N
from tokonomi.plan.scenario import Feature, Part

MOST_TURNS = 1_000


@dataclass(frozen=True, slots=True)
class Turn(Generic[N]):
    """Calls that are alike: how many a conversation has, and the tokens of one.

    Attributes:
        calls: of one conversation; the last turn of a mean of 4.5 is half a call.
        inputs: tokens by part of the input.
        outputs: tokens by part of the output.
        answers: whether it answers the user; a call that writes a summary does not.
    """

    calls: N
    inputs: Mapping[Part, N]
    outputs: Mapping[Part, N]
    answers: bool = True


def turns_of(feature: Feature, system: N, numbers: Arithmetic[N]) -> Iterator[Turn[N]]:
    """The calls of one conversation with a system prompt of `system` tokens.

    Raises:
        BadPlan: more turns than can be meant.
    """
    turns = numbers.of(feature.turns)
    if feature.history == "none":
        yield _turn(feature, system, numbers, calls=turns, history=numbers.whole(0))
        return
    if feature.history == "summary":
        yield from _summarised(feature, system, numbers)
        return
    last = numbers.ceiling(turns)
    if last > MOST_TURNS:
        raise BadPlan(
            f'feature "{feature.name}" has up to {last:,} turns; {MOST_TURNS:,} are the most',
            remedy='Lower turns, or say history = "none" if they do not build on each other.',
        )
    exchange = numbers.of(feature.input_tokens) + numbers.of(feature.output_tokens)
    for former in range(last):
        resent = numbers.whole(former)
        if feature.history == "window" and feature.window_turns is not None:
            resent = numbers.smaller(resent, numbers.of(feature.window_turns))
        calls = numbers.within_one(turns - former)
        yield _turn(feature, system, numbers, calls=calls, history=resent * exchange)


def _summarised(feature: Feature, system: N, numbers: Arithmetic[N]) -> Iterator[Turn[N]]:
    """The first turn, the later ones with a summary before them, and the calls that write it."""
    assert feature.summary_tokens is not None, "the checks ask for it"
    summary = numbers.of(feature.summary_tokens)
    later = numbers.of(feature.turns) - 1
    nothing = numbers.whole(0)
    yield _turn(feature, system, numbers, calls=numbers.whole(1), history=nothing)
    yield _turn(feature, system, numbers, calls=later, history=summary)
    exchange = numbers.of(feature.input_tokens) + numbers.of(feature.output_tokens)
    # Each writing but the first reads the summary that it replaces.
    yield Turn(later, {Part.SUMMARY: exchange + summary}, {Part.SUMMARY: summary}, answers=False)


def _turn(feature: Feature, system: N, numbers: Arithmetic[N], *, calls: N, history: N) -> Turn[N]:
    inputs = {
        Part.SYSTEM: system,
        Part.MESSAGE: numbers.of(feature.input_tokens),
        Part.HISTORY: history,
        Part.RETRIEVED: numbers.of(feature.rag_chunks) * numbers.of(feature.chunk_tokens),
        Part.TOOLS: numbers.of(feature.tool_tokens),
    }
    outputs = {
        Part.OUTPUT: numbers.of(feature.output_tokens),
        Part.REASONING: numbers.of(feature.reasoning_tokens),
    }
    return Turn(calls, inputs, outputs)
