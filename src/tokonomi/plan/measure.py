"""The measured mix of calls: totals that a plan prices to the same bill as the calls themselves.

Calls are added up where the law that prices them is a straight line: one model, one service tier,
one context tier. What a row limits for each call, such as searches that are billed once a prompt,
is limited before it is added.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tokonomi.plan.price_list import PriceList
from tokonomi.plan.scenario import Measured
from tokonomi.pricing.charge import bracket_of
from tokonomi.pricing.row import PriceRow, SearchUnit
from tokonomi.usage import COUNTS, Usage


@dataclass(frozen=True, slots=True)
class Counted:
    """A call that was made.

    Attributes:
        model: as `provider/model`.
        usage: what it consumed.
        feature: what made it.
    """

    model: str
    usage: Usage
    feature: str = "measured"


def measured_mix(calls: Iterable[Counted], prices: PriceList) -> tuple[Measured, ...]:
    """The calls as totals of groups with one price each, in the order of their first calls.

    Raises:
        BadPlan: a model has no price on the plan's date.
    """
    groups: dict[tuple[str, str, str, bool, int], dict[str, int]] = {}
    for call in calls:
        usage = call.usage
        row = prices.row(call.model, usage.tier, batch=usage.batch)
        context = bracket_of(row, usage.tier_basis).first_tokens
        key = call.model, call.feature, usage.tier, usage.batch, context
        total = groups.setdefault(key, dict.fromkeys(("calls", *COUNTS), 0))
        total["calls"] += 1
        for name in COUNTS:
            total[name] += _billed(usage, name, row)
    return tuple(
        Measured(
            model=model, feature=feature, tier=tier, batch=batch, context_tokens=context, **total
        )
        for (model, feature, tier, batch, context), total in groups.items()
    )


def _billed(usage: Usage, name: str, row: PriceRow) -> int:
    number: int = getattr(usage, name)
    if name == "searches" and row.search_unit is SearchUnit.PROMPT:
        return min(number, usage.requests)
    return number
