"""Model names of clients, and what they mean: a provider, and the provider's name of the model."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from tokonomi.gateway.config import Model
from tokonomi.gateway.wire_errors import WireError
from tokonomi.routing.provider import Provider


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model name leads.

    Attributes:
        name: the provider's section in the configuration.
        provider: the section.
        model: the provider's name of the model.
        label: the alias as configured, such as `openai/*`; the only form that metrics carry.
    """

    name: str
    provider: Provider
    model: str
    label: str

    @property
    def price_as(self) -> str:
        """The provider's name in the price book."""
        return self.provider.price_as or self.name


class Aliases:
    """All names that clients may use. An exact name wins, then the longest one with a star."""

    def __init__(self, models: Mapping[str, Model], providers: Mapping[str, Provider]) -> None:
        self._exact: dict[str, Target] = {}
        self._starred: list[tuple[str, Target]] = []
        for alias, model in models.items():
            provider = providers[model.provider]
            stem = alias.removesuffix("*")
            if stem == alias:
                self._exact[alias] = Target(model.provider, provider, model.model or alias, alias)
            else:
                self._starred.append((stem, Target(model.provider, provider, "", alias)))
        self._starred.sort(key=lambda pair: len(pair[0]), reverse=True)

    @property
    def exact(self) -> Mapping[str, Target]:
        """The names without a star, in the order of the configuration."""
        return self._exact

    def resolve(self, alias: str) -> Target:
        """Where a name leads.

        Raises:
            WireError: 404, with the nearest configured names.
        """
        found = self._exact.get(alias)
        if found is not None:
            return found
        for stem, target in self._starred:
            if alias.startswith(stem) and len(alias) > len(stem):
                return Target(target.name, target.provider, alias[len(stem) :], target.label)
        raise self._not_found(alias)

    def _not_found(self, alias: str) -> WireError:
        known = [*self._exact, *(target.label for _, target in self._starred)]
        near = difflib.get_close_matches(alias[:200], known, n=3, cutoff=0.5) or known[:5]
        names = ", ".join(near) if near else "none: add a [models] section to tokonomi.toml"
        return WireError(
            404,
            "model_not_found",
            f"No model is configured as {alias[:200]!r}. Configured are {names}."
            " GET /v1/models lists all.",
            param="model",
        )
