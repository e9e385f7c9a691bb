"""Model names of clients, and what they mean: a chain of targets."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tokonomi.gateway.wire_errors import WireError
from tokonomi.routing import alias as routing
from tokonomi.routing.alias import Alias
from tokonomi.routing.provider import Provider, Timeouts


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model name leads.

    Attributes:
        name: the provider's section in the configuration.
        provider: the section.
        model: the provider's name of the model.
        label: the alias as configured, such as `openai/*`; the only form that metrics carry.
        stated: the target as its alias states it.
        timeouts: the target's own, else the provider's.
    """

    name: str
    provider: Provider
    model: str
    label: str
    stated: routing.Target
    timeouts: Timeouts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeouts", self.stated.timeouts or self.provider.timeouts)

    @property
    def price_as(self) -> str:
        """The provider's name in the price book."""
        return self.provider.price_as or self.name


@dataclass(frozen=True, slots=True)
class Destination:
    """What a name that a client used means.

    Attributes:
        alias: the chain as it is configured.
        targets: the same with their providers, in the order of the configuration.
    """

    alias: Alias
    targets: tuple[Target, ...]

    @property
    def label(self) -> str:
        """The alias as configured."""
        return self.targets[0].label


class Aliases:
    """All names that clients may use. An exact name wins, then the longest one with a star."""

    def __init__(self, models: Mapping[str, Alias], providers: Mapping[str, Provider]) -> None:
        self._exact: dict[str, Destination] = {}
        self._starred: list[tuple[str, Destination]] = []
        for name, alias in models.items():
            stem = name.removesuffix("*")
            exact = stem == name
            targets = tuple(
                Target(
                    name=stated.provider,
                    provider=providers[stated.provider],
                    model=stated.model or (name if exact else ""),
                    label=name,
                    stated=stated,
                )
                for stated in alias.targets
            )
            if exact:
                self._exact[name] = Destination(alias, targets)
            else:
                self._starred.append((stem, Destination(alias, targets)))
        self._starred.sort(key=lambda pair: len(pair[0]), reverse=True)

    @property
    def exact(self) -> Mapping[str, Destination]:
        """The names without a star, in the order of the configuration."""
        return self._exact

    def resolve(self, alias: str) -> Destination:
        """Where a name leads.

        Raises:
            WireError: 404, with the nearest configured names.
        """
        found = self._exact.get(alias)
        if found is not None:
            return found
        for stem, destination in self._starred:
            if alias.startswith(stem) and len(alias) > len(stem):
                return _filled(destination, alias[len(stem) :])
        raise self._not_found(alias)

    def _not_found(self, alias: str) -> WireError:
        known = [*self._exact, *(each.label for _, each in self._starred)]
        near = difflib.get_close_matches(alias[:200], known, n=3, cutoff=0.5) or known[:5]
        names = ", ".join(near) if near else "none: add a [models] section to tokonomi.toml"
        return WireError(
            404,
            "model_not_found",
            f"No model is configured as {alias[:200]!r}. Configured are {names}."
            " GET /v1/models lists all.",
            param="model",
        )


def _filled(destination: Destination, rest: str) -> Destination:
    """The destination with what its star stands for."""
    targets = tuple(replace(target, model=target.model or rest) for target in destination.targets)
    return Destination(destination.alias, targets)
