"""The packages of credits that a scenario states itself, in the place of the bundled ones."""

from collections.abc import Generator
from contextlib import contextmanager

from tokonomi.credits.package import CreditTable, Offer, offer_of
from tokonomi.errors import BadInput, BadPlan
from tokonomi.naming import meant
from tokonomi.plan.checks import Where
from tokonomi.plan.scenario import Scenario


def offer_in(scenario: Scenario, bundled: Offer) -> Offer:
    """What a scenario sells: its own packages and credit, and the bundled ones where it has none.

    Raises:
        BadInput: a package that cannot be sold; `check_packages` says where it stands.
    """
    stated = offer_of(scenario.credit or CreditTable(), scenario.package, name="package")
    return Offer(
        stated.packages or bundled.packages,
        bundled.weights if scenario.credit is None else stated.weights,
    )


def check_packages(scenario: Scenario, where: Where) -> None:
    """Nothing: the scenario's own packages can be sold, and it sells no others.

    Raises:
        BadPlan: not so; the error says where, and what to do.
    """
    if scenario.credit is not None:
        with _told_at(where(("credit",))):
            offer_of(scenario.credit, (), name="credit")
    for number in range(len(scenario.package)):
        _check_package(scenario, number, where(("package", number)))
    terms, ids = scenario.credits, [each.id for each in scenario.package]
    if terms is None and (ids or scenario.credit is not None):
        place = ("package", 0) if ids else ("credit",)
        raise BadPlan(
            f"{where(place)}: {place[0]} is stated, and nothing sells it",
            remedy="Add [credits] with packages, primary and fallback.",
        )
    for number, name in enumerate(terms.packages if terms is not None and ids else ()):
        if name not in ids:
            raise BadPlan(
                f'{where(("credits", "packages", number))}: no package is called "{name}"',
                remedy=meant(name, ids),
            )


def _check_package(scenario: Scenario, number: int, where: str) -> None:
    """Nothing: a package can be sold beside those before it, and brings something."""
    with _told_at(where):
        offer = offer_of(CreditTable(), scenario.package[: number + 1], name="[[package]]")
    sold = offer.packages[-1]
    if not sold.price.sub_units:
        raise BadPlan(
            f'{where}: package "{sold.id}" is free, so it has no margin',
            remedy="Give it a price, or leave it out.",
        )


@contextmanager
def _told_at(where: str) -> Generator[None]:
    """Says of a wrong value where it stands."""
    try:
        yield
    except BadInput as wrong:
        raise BadPlan(f"{where}: {wrong.what}", remedy=wrong.remedy) from None
