"""Techniques that make tokens cheaper, taken together: they compound, they do not add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tokonomi.plan.scenario import Saving


@dataclass(frozen=True, slots=True)
class Saved:
    """A part that is saved, between two ends."""

    low: Fraction
    high: Fraction

    def of_the_whole(self, part: Fraction) -> "Saved":
        """What is saved of a whole of which only `part` becomes cheaper."""
        return Saved(self.low * part, self.high * part)


def compounded(savings: Sequence[Saving]) -> Saved:
    """What all of them save together, when each works on what the others leave.

    >>> from tokonomi.plan.quantity import Share
    >>> both = [Saving(name=name, share=Share.parse("20%..40%")) for name in ("one", "other")]
    >>> compounded(both)
    Saved(low=Fraction(9, 25), high=Fraction(16, 25))
    """
    left_low = left_high = Fraction(1)
    for saving in savings:
        left_low *= 1 - saving.share.low
        left_high *= 1 - saving.share.high
    return Saved(1 - left_low, 1 - left_high)


def added(savings: Sequence[Saving]) -> Saved:
    """The sum of their shares, which is what a reader might expect and which can pass 100 %."""
    return Saved(
        sum((saving.share.low for saving in savings), Fraction()),
        sum((saving.share.high for saving in savings), Fraction()),
    )
