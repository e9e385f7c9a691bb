"""Electricity as a cost of tokens: what machines make of a joule, and what that costs."""

from dataclasses import dataclass
from fractions import Fraction

from tokonomi.errors import BadPlan
from tokonomi.plan.scenario import Energy

SECONDS_AN_HOUR = 3_600
JOULES_A_KWH = 3_600_000


@dataclass(frozen=True, slots=True)
class Used:
    """What a run makes and takes; amounts in whole units of the plan's currency.

    A watt-second is a joule, so tokens a second for each watt are tokens for each joule.
    """

    seconds: Fraction
    tokens: Fraction
    tokens_per_joule: Fraction
    cost_per_token: Fraction
    tokens_per_request: Fraction | None
    cost_per_request: Fraction | None
    tokens_per_unit: Fraction | None

    @property
    def tokens_per_kwh(self) -> Fraction:
        """Tokens for each kilowatt-hour."""
        return self.tokens_per_joule * JOULES_A_KWH


def used(energy: Energy) -> Used:
    """What the machines make of their electricity, every number at its mean.

    Raises:
        BadPlan: they make no tokens.

    >>> from tokonomi.plan.quantity import Natural, Positive
    >>> pace, price = Natural.of(3_000), Natural.parse("0.17")
    >>> run = used(Energy(tokens_per_second=pace, watts=Positive.of(1_000), price_per_kwh=price))
    >>> run.tokens_per_joule, run.tokens_per_kwh, run.cost_per_token
    (Fraction(3, 1), Fraction(10800000, 1), Fraction(17, 1080000000))
    """
    pace, price = energy.tokens_per_second.mean, energy.price_per_kwh.mean
    seconds = energy.hours.mean * SECONDS_AN_HOUR
    if not pace:
        raise BadPlan("machines that make no tokens", remedy="State tokens_per_second above 0.")
    per_joule = pace / energy.watts.mean
    per_token = price / (per_joule * JOULES_A_KWH)
    requests = None if energy.requests is None else energy.requests.mean
    each = pace * seconds / requests if requests else None
    return Used(
        seconds,
        pace * seconds,
        per_joule,
        per_token,
        each,
        None if each is None else each * per_token,
        1 / per_token if per_token else None,
    )
