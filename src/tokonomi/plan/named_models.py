"""The models that a scenario names, where it names them, and whether each has a price."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tokonomi.errors import BadPlan
from tokonomi.plan.numbers import charged, usage_of
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.scenario import Credits, Feature, Scenario
from tokonomi.plan.workload import possible, rows_in_batch
from tokonomi.pricing.row import BEGINNING
from tokonomi.toml_places import Place
from tokonomi.usage import STANDARD_TIER

AT: Place = ("plan", "at")


@dataclass(frozen=True, slots=True)
class Named:
    """A model, which of its rows is meant, and where the scenario says so.

    Attributes:
        place: in the scenario's file.
        user: what asks for it, such as `feature "chat"`.
        model: as the scenario names it.
        tier: that is bought.
        batch: whether the row of batches is meant.
        counts: counts of `Usage` that are sure to be priced by that row.
    """

    place: Place
    user: str
    model: str
    tier: str = STANDARD_TIER
    batch: bool = False
    counts: tuple[str, ...] = ()


def named_models(scenario: Scenario) -> Iterator[Named]:
    """Every model that the plan prices, in the order of the file's tables."""
    for number, feature in enumerate(scenario.feature):
        yield from _of_feature(feature, ("feature", number))
    for number, each in enumerate(scenario.measured):
        place = ("measured", number, "model")
        yield Named(place, "measured calls", each.model, each.tier, each.batch)
    if scenario.credits is not None:
        yield from _of_credits(scenario.credits)


def _of_feature(feature: Feature, place: Place) -> Iterator[Named]:
    user = f'feature "{feature.name}"'
    for in_batch, batch in enumerate(rows_in_batch(feature)):
        counts = _counts(feature) if in_batch or feature.batch_share.low < 1 else ()
        for number, each in enumerate(feature.models):
            at = (*place, "models", number, "model")
            asked = counts if each.share is None or possible(each.share) else ()
            yield Named(at, user, each.model, each.tier, batch, asked)
        if feature.fallback and possible(feature.fallback_share):
            at = (*place, "fallback")
            yield Named(at, user, feature.fallback, batch=batch, counts=counts)


def _counts(feature: Feature) -> tuple[str, ...]:
    used = {
        "uncached_input": feature.input_tokens,
        "output": feature.output_tokens,
        "reasoning": feature.reasoning_tokens,
    }
    return tuple(count for count, tokens in used.items() if possible(tokens))


def _of_credits(terms: Credits) -> Iterator[Named]:
    yield Named(("credits", "primary"), "credits", terms.primary)
    yield Named(("credits", "fallback"), "credits", terms.fallback)
    if terms.previous:
        yield Named(("credits", "previous"), "credits", terms.previous)
    for number, model in enumerate(terms.candidates):
        yield Named(("credits", "candidates", number), "credits", model)


def check_prices(scenario: Scenario, prices: PriceList, where: Callable[[Place], str]) -> None:
    """Nothing: each model has a price on the scenario's date.

    Raises:
        BadPlan: one is unknown or has none; the error says where it is named, or where the date
            stands when it is the date that no price covers.
    """
    for each in named_models(scenario):
        try:
            row = prices.row(each.model, each.tier, batch=each.batch)
        except BadPlan as wrong:
            dated = prices.validities(each.model, each.tier, batch=each.batch)
            raise _told(wrong, where(AT if dated else each.place), each) from None
        try:
            for count in each.counts:
                charged(usage_of(row, count, 1, calls=1, context=0), row)
        except BadPlan as wrong:
            raise _told(wrong, where(each.place), each) from None


def _told(wrong: BadPlan, place: str, named: Named) -> BadPlan:
    return BadPlan(f"{place}: {named.user}: {wrong.what}", remedy=wrong.remedy)


def undated_models(scenario: Scenario, prices: PriceList) -> tuple[str, ...]:
    """The models whose price states no first day, so that it is taken to hold on any date before.

    They are sought after `check_prices`, so each has a row.
    """
    found = (
        each.model
        for each in named_models(scenario)
        if prices.row(each.model, each.tier, batch=each.batch).valid_from == BEGINNING
    )
    return tuple(dict.fromkeys(found))
