"""The fallback watch: how many calls a fallback serves, what that costs, and what then to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final

from tokonomi.money import Locale, Money


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


class Cause(StrEnum):
    """Why the primary did not serve."""

    PRIMARY = "primary"
    LIMIT = "limit"
    GATEWAY = "gateway"


_LIMITS: Final = frozenset({402, 429, 498, 529})
_GATEWAYS: Final = frozenset({0, 502, 503, 504, *range(520, 528), 530})


def cause_of(http_status: int) -> Cause:
    """What a failed attempt at the primary points to; 0 is no answer at all.

    >>> cause_of(429).value, cause_of(0).value, cause_of(500).value
    ('limit', 'gateway', 'primary')
    """
    if http_status in _LIMITS:
        return Cause.LIMIT
    return Cause.GATEWAY if http_status in _GATEWAYS else Cause.PRIMARY


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When fallback is too much. What is above a threshold, and not just at it, has reached it.

    Attributes:
        rate_warning: share of the calls of an alias in an hour.
        rate_critical: the same.
        cost_warning: what fallbacks of an alias cost on one day, in UTC.
        cost_critical: the same, in the same currency.
        minimum_calls: a share of fewer calls than these reaches nothing.
        actions: what to do about each cause, by language.
        source: where the thresholds come from.
    """

    rate_warning: Fraction
    rate_critical: Fraction
    cost_warning: Money
    cost_critical: Money
    minimum_calls: int
    actions: Mapping[Cause, Mapping[Locale, str]]
    source: str

    @property
    def currency(self) -> str:
        """The currency that costs are judged in."""
        return self.cost_warning.currency


@dataclass(frozen=True, slots=True)
class Watched:
    """The calls of one alias in a stretch of time.

    Attributes:
        calls: requests that came.
        fallbacks: those that a fallback served.
        failures: failed attempts at the primary, by what they point to.
        fallback_cost: what the fallbacks cost; None when that is not known.
        primary_cost: what the primary would have cost for the same tokens; None as well.
    """

    calls: int
    fallbacks: int
    failures: Mapping[Cause, int] = field(default_factory=dict[Cause, int])
    fallback_cost: Money | None = None
    primary_cost: Money | None = None

    @property
    def rate(self) -> Fraction | None:
        """The share that a fallback served; None of no calls.

        >>> Watched(calls=240, fallbacks=36).rate
        Fraction(3, 20)
        """
        return Fraction(self.fallbacks, self.calls) if self.calls else None

    @property
    def extra_cost(self) -> Money | None:
        """What fallback cost above the primary, exactly; None when either is not known.

        >>> paper = Watched(1, 1, {}, Money.parse("27000", "IDR"), Money.parse("6720", "IDR"))
        >>> paper.extra_cost.format("id")
        'Rp 20.280'
        """
        if self.fallback_cost is None or self.primary_cost is None:
            return None
        return self.fallback_cost - self.primary_cost

    @property
    def cause(self) -> Cause:
        """What most failures of the primary point to; the primary itself where none is known."""
        return max(_BY_NEED, key=lambda cause: self.failures.get(cause, 0))


_BY_NEED: Final = (Cause.PRIMARY, Cause.GATEWAY, Cause.LIMIT)
"""Of equals the first counts."""


def rate_level(watched: Watched, rules: WatchRules) -> Level:
    """How bad the share of calls is that a fallback served."""
    rate = watched.rate
    if rate is None or watched.calls < rules.minimum_calls or rate <= rules.rate_warning:
        return Level.OK
    return Level.CRITICAL if rate > rules.rate_critical else Level.WARNING


def cost_level(cost: Money | None, rules: WatchRules) -> Level:
    """How bad a day's cost of fallback is, in the currency of the rules; unknown is not judged.

    Raises:
        BadMoney: it is in another currency.
    """
    if cost is None or cost <= rules.cost_warning:
        return Level.OK
    return Level.CRITICAL if cost > rules.cost_critical else Level.WARNING
