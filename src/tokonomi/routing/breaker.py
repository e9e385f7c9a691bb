"""The circuit breaker of one target."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a target may be called now.

    Attributes:
        lets: whether it may.
        opens_at: when it lets a call through again, in seconds; compared with others of its kind.
    """

    lets: bool = True
    opens_at: float = 0.0
