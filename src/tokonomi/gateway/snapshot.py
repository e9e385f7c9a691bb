"""The configuration as requests use it: one immutable snapshot, replaced whole when it changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from tokonomi.configuration.document import Document, Item, Kind, Table
from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.http_client import HttpUpstream, open_upstream
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.gateway.upstream import Upstream
from tokonomi.gateway.webhook import Webhook
from tokonomi.pricing.book import PriceBook
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.provider import Provider
from tokonomi.routing.watch import WatchRules
from tokonomi.storage.master_keys import Sealed
from tokonomi.storage.price_files import load_book
from tokonomi.storage.watch_files import load_watch_rules

_USED: Final = frozenset(
    {Kind.ALERTS, Kind.BREAKER, Kind.FALLBACK_WATCH, Kind.PROVIDER, Kind.MODEL, Kind.PRICES}
)
"""Kinds that a snapshot is made of. Budgets, wallet rules and rates have their own way here."""


@dataclass(frozen=True, slots=True)
class Client:
    """A provider's connections, and what they were opened with."""

    provider: Provider
    key: str = field(repr=False)
    upstream: HttpUpstream


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a snapshot is made of; equal ones make equal snapshots."""

    tables: Mapping[Item, Table]
    sealed: Mapping[str, Sealed]

    @classmethod
    def of(cls, document: Document, sealed: Mapping[str, Sealed]) -> "Ingredients":
        """The part of a document that gateways use, and the secrets."""
        used = {item: table for item, table in document.tables.items() if item.kind in _USED}
        return cls(used, sealed)

    def prices(self) -> Table | None:
        """Own prices, where there are any."""
        return self.tables.get(Item(Kind.PRICES))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything of one version of the configuration that a gateway needs.

    Attributes:
        aliases: what the model names of clients lead to.
        clients: the connections to each provider.
        book: every price.
        webhook: who is told of events, if anybody is.
        breaker: when circuit breakers open, and for how long.
        watch_rules: when fallback is too much.
        ingredients: what it was made of.
    """

    aliases: Aliases
    clients: Mapping[str, Client]
    book: PriceBook
    webhook: Webhook | None
    breaker: BreakerRules
    watch_rules: WatchRules
    ingredients: Ingredients

    @property
    def upstreams(self) -> Mapping[str, Upstream]:
        """The connections, by the providers' names."""
        return {name: client.upstream for name, client in self.clients.items()}

    def without(self, newer: "Snapshot | None") -> Iterator[HttpUpstream]:
        """The connections that a newer snapshot does not use any more."""
        kept = {id(each.upstream) for each in newer.clients.values()} if newer else set[int]()
        for client in self.clients.values():
            if id(client.upstream) not in kept:
                yield client.upstream


def snapshot_of(
    ingredients: Ingredients, around: Surroundings, previous: Snapshot | None = None
) -> Snapshot:
    """The snapshot of a configuration, with the connections and prices of the previous that stay.

    Raises:
        BadConfig: a provider's key, its certificates or the webhook's secret cannot be found here.
        BadPrices: the contract is wrong.
        BadInput: the rules of the fallback watch are wrong.
    """
    document = Document(ingredients.tables)
    providers, sealed, alerts = document.providers, ingredients.sealed, document.alerts
    clients = {
        name: _client(name, provider, around.provider_key(name, provider, sealed), previous, around)
        for name, provider in providers.items()
    }
    webhook = None
    if alerts.webhook:
        secret = around.signing_secret(alerts, sealed)
        webhook = Webhook(alerts.webhook, secret, allow_private=alerts.allow_private)
    if previous is not None and previous.ingredients.prices() == ingredients.prices():
        book = previous.book
    else:
        book = load_book(document.contract)
    return Snapshot(
        aliases=Aliases(document.models, providers),
        clients=clients,
        book=book,
        webhook=webhook,
        breaker=document.breaker,
        watch_rules=load_watch_rules(document.fallback_watch),
        ingredients=ingredients,
    )


def _client(
    name: str, provider: Provider, key: str, previous: Snapshot | None, around: Surroundings
) -> Client:
    known = None if previous is None else previous.clients.get(name)
    if known is not None and (known.provider, known.key) == (provider, key):
        return known
    located = replace(provider, ca_file=around.path(provider.ca_file))
    return Client(provider, key, open_upstream(name, located, key))
