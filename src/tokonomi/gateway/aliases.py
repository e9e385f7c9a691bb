"""Model names of clients, and the chains of targets that they stand for."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from msgspec import structs

from tokonomi.dialects.destination import EgressName
from tokonomi.gateway.spoken import all_spoken
from tokonomi.gateway.wire_errors import WireError
from tokonomi.routing.alias import Alias
from tokonomi.routing.alias import Target as TargetTerms
from tokonomi.routing.breaker import breaker_name
from tokonomi.routing.provider import Provider

_PLAIN: Final = TargetTerms(provider="")


@dataclass(frozen=True, slots=True)
class Target:
    """One place where a request may go.

    Attributes:
        name: the provider's name in the configuration.
        provider: the provider, with the timeouts of this target.
        model: the provider's name of the model.
        label: the alias as configured, such as `openai/*`; the only form that metrics carry.
        terms: how it is tried.
        price_as: the provider's name in the price book.
        speaks: everything that the provider speaks, what it is asked in first.
        breaker: what its circuit breaker is called.
    """

    name: str
    provider: Provider
    model: str
    label: str
    terms: TargetTerms = _PLAIN
    price_as: str = field(init=False, compare=False)
    speaks: tuple[EgressName, ...] = field(init=False, compare=False)
    breaker: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "price_as", self.provider.price_as or self.name)
        object.__setattr__(self, "speaks", all_spoken(self.provider))
        object.__setattr__(self, "breaker", breaker_name(self.label, self.terms))

    def __hash__(self) -> int:
        """Of what tells targets apart in practice: a provider's whole section is slow to hash."""
        return hash((self.name, self.model, self.label))


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """Where a model name leads; none is equal to another.

    Attributes:
        label: the alias as configured.
        terms: how its targets are chosen, and how often and how long they are tried.
        targets: in the order of the configuration; never empty.
    """

    label: str
    terms: Alias
    targets: tuple[Target, ...]

    def standing_for(self, rest: str) -> "Destination":
        """The destination of an alias with a star, for what the star stands for."""
        targets = tuple(replace(each, model=each.terms.model or rest) for each in self.targets)
        return replace(self, targets=targets)


class Aliases:
    """All names that clients may use. An exact name wins, then the longest one with a star."""

    def __init__(self, models: Mapping[str, Alias], providers: Mapping[str, Provider]) -> None:
        self._exact: dict[str, Destination] = {}
        self._starred: list[tuple[str, Destination]] = []
        for name, alias in models.items():
            chain = _chain(name, alias, providers)
            if name.endswith("*"):
                self._starred.append((name.removesuffix("*"), chain))
            else:
                self._exact[name] = chain
        self._starred.sort(key=lambda pair: len(pair[0]), reverse=True)

    @property
    def exact(self) -> Mapping[str, Destination]:
        """The names without a star, in the order of the configuration."""
        return self._exact

    @property
    def breakers(self) -> frozenset[str]:
        """The names of the circuit breakers of all targets."""
        chains = (*self._exact.values(), *(chain for _, chain in self._starred))
        return frozenset(each.breaker for chain in chains for each in chain.targets)

    def resolve(self, alias: str) -> Destination:
        """Where a name leads.

        Raises:
            WireError: 404, with the nearest configured names.
        """
        found = self._exact.get(alias)
        if found is not None:
            return found
        for stem, chain in self._starred:
            if alias.startswith(stem) and len(alias) > len(stem):
                return chain.standing_for(alias[len(stem) :])
        raise self._not_found(alias)

    def _not_found(self, alias: str) -> WireError:
        known = [*self._exact, *(chain.label for _, chain in self._starred)]
        near = difflib.get_close_matches(alias[:200], known, n=3, cutoff=0.5) or known[:5]
        names = ", ".join(near) if near else "none: apply a [models] section"
        return WireError(
            404,
            "model_not_found",
            f"No model is configured as {alias[:200]!r}. Configured are {names}."
            " GET /v1/models lists all.",
            param="model",
        )


def _chain(name: str, alias: Alias, providers: Mapping[str, Provider]) -> Destination:
    targets = tuple(_target(name, terms, providers[terms.provider]) for terms in alias.targets)
    return Destination(name, alias, targets)


def _target(alias: str, terms: TargetTerms, provider: Provider) -> Target:
    if terms.timeouts is not None:
        provider = structs.replace(provider, timeouts=terms.timeouts)
    return Target(terms.provider, provider, terms.model or alias, alias, terms)
