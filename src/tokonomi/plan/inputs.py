"""The uncertain numbers of a scenario, by their paths."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from tokonomi.errors import BadPlan
from tokonomi.naming import meant
from tokonomi.plan.document import slug
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Scenario
from tokonomi.plan.table import Table

ASIDE = ("correlation", "credits", "human", "saving", "self_host", "fine_tune", "energy", "revenue")
"""Tables whose numbers are no part of the cost of a month."""


def uncertain_costs(scenario: Scenario) -> dict[str, Quantity]:
    """The distributions that the cost of a month depends on, by path."""
    return {
        path: quantity
        for path, quantity in quantities_of(scenario)
        if quantity.uncertain and path.partition(".")[0] not in ASIDE and path != "plan.budget"
    }


def uncertain_revenue(scenario: Scenario) -> dict[str, Quantity]:
    """The distributions that only what comes in depends on, by path."""
    return {
        path: quantity
        for path, quantity in quantities_of(scenario)
        if quantity.uncertain and path.partition(".")[0] == "revenue"
    }


def quantities_of(scenario: Scenario) -> Iterator[tuple[str, Quantity]]:
    """Every number of a scenario with its path, such as `feature.chat.turns`."""
    yield from _below(scenario, ())


def quantity_at(scenario: Scenario, path: str) -> Quantity:
    """The number at a path.

    Raises:
        BadPlan: there is none.
    """
    known = dict(quantities_of(scenario))
    if path not in known:
        raise BadPlan(f'the scenario has no number "{path}"', remedy=meant(path, known))
    return known[path]


def _below(node: object, path: tuple[str, ...]) -> Iterator[tuple[str, Quantity]]:
    match node:
        case Quantity():
            yield ".".join(path), node
        case Table():
            for field in msgspec.structs.fields(node):
                yield from _below(getattr(node, field.name), (*path, field.name))
        case tuple():
            for number, item in enumerate(cast("Sequence[object]", node)):
                name = slug(str(getattr(item, "name", ""))) or str(number)
                yield from _below(item, (*path, name))
        case dict():
            for key, value in cast("Mapping[str, object]", node).items():
                yield from _below(value, (*path, key))
        case _:
            pass
