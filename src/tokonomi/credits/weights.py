"""Weights: how many credits a call uses, by the classes of its tokens.

Credits are counted in milli-credits. At 1,000 tokens a credit and weights of 1, a token is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm
from operator import mul
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.money import checked_int64
from tokonomi.naming import meant
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.row import Media
from tokonomi.usage import COUNTS, Usage, counts_of

MILLI: Final = 1_000
"""Milli-credits in a credit."""

_EVENTS: Final = frozenset({"searches", "requests"})
_OUTPUT: Final = COUNTS.index("output")


@dataclass(frozen=True)
class Weights:
    """What a token of each class counts, and how many counted tokens make a credit.

    A class that is not named counts 1 a token; reasoning counts as output does; searches and
    requests count nothing.

    Attributes:
        tokens_per_credit: counted tokens that use up one credit.
        stated: classes (the counts of `Usage`) with their exact weights, 0 or more.

    Raises:
        BadInput: an unknown class, a negative weight, or no tokens in a credit.
    """

    tokens_per_credit: int = 1_000
    stated: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])

    def __post_init__(self) -> None:
        if self.tokens_per_credit < 1:
            raise BadInput(
                f"{self.tokens_per_credit} tokens in a credit", remedy="Use 1 or more, as 1000."
            )
        for name, weight in self.stated.items():
            if name not in COUNTS:
                raise BadInput(f'no class of tokens is called "{name}"', remedy=meant(name, COUNTS))
            if weight < 0:
                raise BadInput(
                    f"the weight of {name} is {weight}", remedy="Use 0 for what is free."
                )

    def weight(self, name: str) -> Fraction:
        """What one unit of a class counts, in tokens."""
        if name in self.stated:
            return self.stated[name]
        if name == "reasoning":
            return self.weight("output")
        return Fraction(0 if name in _EVENTS else 1)

    @cached_property
    def compiled(self) -> tuple[tuple[int, ...], int]:
        """Milli-credits a unit of each of `COUNTS`, as numerators over one denominator."""
        each = [self.weight(name) * MILLI / self.tokens_per_credit for name in COUNTS]
        denominator = lcm(*(weight.denominator for weight in each))
        return tuple((weight * denominator).numerator for weight in each), denominator

    @cached_property
    def dearest(self) -> "Mapping[Media, Dearest]":
        """The most that a unit counts in requests with some media."""
        return _DearestByMedia(dict(zip(COUNTS, self.compiled[0], strict=True)))


@dataclass(frozen=True, slots=True)
class Dearest:
    """The most that one unit can count, as numerators of `Weights.compiled`."""

    an_input: int
    an_output: int
    a_search: int
    a_request: int


class _DearestByMedia(dict[Media, Dearest]):
    """Compiled when it is first asked for; there are no more than sixteen."""

    def __init__(self, numerators: Mapping[str, int]) -> None:
        super().__init__()
        self._numerators = numerators

    def __missing__(self, media: Media) -> Dearest:
        numerators = self._numerators
        inputs = (
            *("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h"),
            *(("audio_in", "cache_read_audio") if media.audio_in else ()),
            *(("image_in",) if media.image_in else ()),
        )
        outputs = (
            *("output", "reasoning"),
            *(("audio_out",) if media.audio_out else ()),
            *(("image_out",) if media.image_out else ()),
        )
        found = self[media] = Dearest(
            an_input=max(numerators[name] for name in inputs),
            an_output=max(numerators[name] for name in outputs),
            a_search=numerators["searches"],
            a_request=numerators["requests"],
        )
        return found


def credits_used(usage: Usage, weights: Weights) -> int:
    """The milli-credits that a call uses, rounded half-up once.

    >>> from datetime import UTC, datetime
    >>> call = Usage(at=datetime(2026, 1, 30, tzinfo=UTC), uncached_input=200, output=400)
    >>> credits_used(call, Weights())
    600
    >>> credits_used(call, Weights(stated={"output": Fraction(8)}))
    3400
    """
    numerators, denominator = weights.compiled
    counted = sum(map(mul, counts_of(usage), numerators))
    # Reasoning is a part of the output, and counts by its own weight alone.
    counted -= usage.reasoning * numerators[_OUTPUT]
    # Half-up of a quotient that is never negative, without a fraction on the path of every call.
    return checked_int64((2 * counted + denominator) // (2 * denominator))


def credits_bound(targets: Sequence[Bounds], weights: Weights, *, billed_attempts: int = 1) -> int:
    """The most milli-credits that a request can use over a chain of targets, rounded up.

    As for money: the dearest class of each kind, the dearest target, times the attempts that may
    be billed. No usage within the bounds uses more.

    Raises:
        BadInput: no target, or no attempt.
        AmountTooLarge: no ledger could hold that much.

    >>> credits_bound([Bounds(input_tokens=200, output_tokens=400)], Weights())
    600
    """
    if not targets or billed_attempts < 1:
        raise BadInput(f"a request with {len(targets)} targets and {billed_attempts} attempts")
    most = 0
    for bounds in targets:
        dearest = weights.dearest[bounds.media]
        counted = (
            bounds.input_tokens * dearest.an_input
            + bounds.all_output_tokens * dearest.an_output
            + bounds.searches * dearest.a_search
            + bounds.requests * dearest.a_request
        )
        most = max(most, counted)
    denominator = weights.compiled[1]
    return checked_int64(-(-most // denominator) * billed_attempts)
