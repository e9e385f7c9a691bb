"""What a provider says that a call cost, as exact money."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tokonomi.errors import ImpossibleUsage
from tokonomi.money import Money, currency_of, round_half_up
from tokonomi.providers.json_fields import exact_number, object_at

_FINEST: Final = -40
"""Numbers below 1e-40 are 0 sub-units; their exact fraction would only be long."""

_USD: Final = currency_of("USD")
_XAI_TICKS_PER_USD: Final = 10**10
_MOST_TICKS: Final = 10**6 * _XAI_TICKS_PER_USD


def dollars(number: Decimal) -> Money:
    """A reported number of US dollars, rounded half-up to the sub-unit (1e-12 USD).

    OpenRouter multiplies prices per token by discounts and sends all digits of it. A reported cost
    is compared with ours and never added up from parts, so one rounding of at most half a
    pico-dollar is harmless, while refusing the reply would not be.

    >>> dollars(Decimal("0.0000001234565")).decimal()
    '0.000000123457'
    """
    if number.adjusted() < _FINEST:
        return Money(0, "USD")
    return Money(round_half_up(Fraction(number) * _USD.sub_units), "USD")


def openrouter_cost(usage: Mapping[str, object]) -> Money | None:
    """What OpenRouter charges and, for a caller's own provider key, what that provider charges.

    `cost` alone is the bill, and adding `upstream_inference_cost` would double it. Only with
    `is_byok` is `cost` a mere fee, to which the upstream's bill must be added; when that is not
    sent the cost is not known.

    Raises:
        ImpossibleUsage: an amount is not a number, or negative.
    """
    cost = exact_number(usage.get("cost"), "cost")
    if cost is None or usage.get("is_byok") is not True:
        return None if cost is None else dollars(cost)
    details = object_at(usage, "cost_details") or {}
    key = "upstream_inference_cost"
    upstream = exact_number(details.get(key), key)
    return None if upstream is None else dollars(cost + upstream)


def deepinfra_cost(usage: Mapping[str, object]) -> Money | None:
    """DeepInfra's `estimated_cost`, in US dollars.

    Raises:
        ImpossibleUsage: it is not a number, or negative.
    """
    cost = exact_number(usage.get("estimated_cost"), "estimated_cost")
    return None if cost is None else dollars(cost)


def xai_cost(usage: Mapping[str, object]) -> Money | None:
    """The `cost_in_usd_ticks` of xAI, of which 10**10 make a US dollar.

    Raises:
        ImpossibleUsage: it is not an integer, or negative.
    """
    ticks = usage.get("cost_in_usd_ticks")
    if ticks is None:
        return None
    if type(ticks) is not int or not 0 <= ticks < _MOST_TICKS:
        raise ImpossibleUsage(f"cost_in_usd_ticks is {ticks!r}, not a number of ticks")
    return Money(ticks * (_USD.sub_units // _XAI_TICKS_PER_USD), "USD")


def perplexity_cost(usage: Mapping[str, object]) -> Money | None:
    """Perplexity's `cost.total_cost`, in US dollars.

    Raises:
        ImpossibleUsage: it is not a number, or negative.
    """
    total = exact_number((object_at(usage, "cost") or {}).get("total_cost"), "total_cost")
    return None if total is None else dollars(total)
