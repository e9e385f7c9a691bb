"""A number's part of what is uncertain about the cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Influence:
    """A number's part of the variance of the cost.

    Attributes:
        path: of the number.
        alone: the part that it explains by itself.
        in_all: the same with what it does together with others.
    """

    path: str
    alone: float
    in_all: float
