"""The document: every provider, model, price, budget and package, as canonical tables by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from tokonomi.configuration.alerts import Alerts
from tokonomi.configuration.fallback_watch import FallbackWatch
from tokonomi.credits.package import CreditTable, Offer, PackageTable, offer_of
from tokonomi.pricing.contract import NO_CONTRACT, Contract, compile_contract
from tokonomi.pricing.price_file import contract_from_table
from tokonomi.routing.alias import Alias
from tokonomi.routing.breaker import BreakerRules, breaker_name
from tokonomi.routing.provider import Provider

Table = Mapping[str, object]
"""Plain values only: text, whole numbers, numbers of seconds, booleans, lists and tables."""


class Kind(StrEnum):
    """What an item of the document is."""

    ALERTS = "alerts"
    BREAKER = "breaker"
    FALLBACK_WATCH = "fallback_watch"
    PROVIDER = "provider"
    MODEL = "model"
    PRICES = "prices"
    RATE = "rate"
    BUDGET = "budget"
    WALLET_RULE = "wallet_rule"
    CREDIT = "credit"
    PACKAGE = "package"

    @property
    def section(self) -> str:
        """Its table, or its array of tables, at the top of a TOML text."""
        return f"{self}s" if self in NAMED else str(self)


SINGLE: Final = frozenset(
    {Kind.ALERTS, Kind.BREAKER, Kind.FALLBACK_WATCH, Kind.PRICES, Kind.CREDIT}
)
"""Kinds of one table, `[alerts]`."""
NAMED: Final = frozenset({Kind.PROVIDER, Kind.MODEL})
"""Kinds whose tables have names, `[providers.openai]`."""
LISTED: Final = frozenset({Kind.RATE, Kind.BUDGET, Kind.WALLET_RULE, Kind.PACKAGE})
"""Kinds whose tables stand in a list and name themselves, `[[budget]]`."""
SECTIONS: Final[Mapping[str, Kind]] = {kind.section: kind for kind in Kind}
ORDER: Final[Mapping[Kind, int]] = {kind: place for place, kind in enumerate(Kind)}


class Item(NamedTuple):
    """One table of the document: its kind, and the name that tells it from others of that kind.

    >>> str(Item(Kind.PROVIDER, "openai")), str(Item(Kind.BUDGET, "growth")), str(Item(Kind.PRICES))
    ('providers.openai', 'budget growth', 'prices')
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        if self.kind in NAMED:
            return f"{self.kind.section}.{self.name}"
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Document:
    """A whole configuration.

    Attributes:
        tables: the canonical table of every item, in the order of kinds and names.
    """

    tables: Mapping[Item, Table] = field(default_factory=dict[Item, Table])

    @classmethod
    def of(cls, tables: Mapping[Item, Table]) -> "Document":
        """The document with these tables, put in order; empty ones are left out."""
        order = sorted(tables, key=lambda item: (ORDER[item.kind], item.name))
        return cls({item: tables[item] for item in order if tables[item]})

    def named(self, kind: Kind) -> dict[str, Table]:
        """The tables of one kind, by name."""
        return {item.name: table for item, table in self.tables.items() if item.kind is kind}

    @property
    def providers(self) -> dict[str, Provider]:
        """Whom to call."""
        stated = self.named(Kind.PROVIDER)
        return {name: msgspec.convert(table, Provider) for name, table in stated.items()}

    @property
    def models(self) -> dict[str, Alias]:
        """The model names of clients, each with its chain."""
        stated = self.named(Kind.MODEL)
        return {name: alias_from_table(table) for name, table in stated.items()}

    @property
    def alerts(self) -> Alerts:
        """Who is told of events."""
        return msgspec.convert(self.tables.get(Item(Kind.ALERTS), {}), Alerts)

    @property
    def breaker(self) -> BreakerRules:
        """When circuit breakers open, and for how long."""
        return msgspec.convert(self.tables.get(Item(Kind.BREAKER), {}), BreakerRules)

    @property
    def breakers(self) -> frozenset[str]:
        """The names of the circuit breakers of all targets."""
        models = self.models.items()
        return frozenset(
            breaker_name(name, each) for name, alias in models for each in alias.targets
        )

    @property
    def fallback_watch(self) -> FallbackWatch | None:
        """When fallback is too much, where the document says so."""
        table = self.tables.get(Item(Kind.FALLBACK_WATCH))
        return None if table is None else msgspec.convert(table, FallbackWatch)

    @property
    def contract(self) -> Contract:
        """Own prices and discounts.

        Raises:
            BadPrices: a wrong figure, or a discount that is none.
        """
        table = self.tables.get(Item(Kind.PRICES))
        if table is None:
            return NO_CONTRACT
        return compile_contract("prices", contract_from_table(table))

    @property
    def offer(self) -> Offer | None:
        """The packages on sale, the smallest first; None when the document states none.

        Raises:
            BadInput: a package that cannot be sold, or a weight that is none.
        """
        stated, credit = self.named(Kind.PACKAGE), self.tables.get(Item(Kind.CREDIT))
        if not stated and credit is None:
            return None
        tables = [msgspec.convert(table, PackageTable) for table in stated.values()]
        tables.sort(key=lambda each: (each.credits, each.id))
        return offer_of(msgspec.convert(credit or {}, CreditTable), tables, name="package")


def alias_from_table(table: Table) -> Alias:
    """The alias that a table states, with a chain or, in the short form, one target."""
    return msgspec.convert(chained(table), Alias)


def chained(table: Table) -> Table:
    """The table of an alias with its short form, `provider` and `model`, made a chain of one."""
    if "targets" in table or "provider" not in table:
        return table
    target = {key: table[key] for key in ("provider", "model") if key in table}
    rest = {key: value for key, value in table.items() if key not in target}
    return {**rest, "targets": [target]}
