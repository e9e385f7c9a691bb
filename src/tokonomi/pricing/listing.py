"""What a source of prices says about one model, before the sources are laid over one another."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from tokonomi.pricing.row import Meter, PriceRow, Rate


class Rank(IntEnum):
    """Which row wins where several are valid; the higher one does."""

    CATALOGUE = 0
    OVERLAY = 1
    DISCOUNTED_CATALOGUE = 2
    DISCOUNTED_OVERLAY = 3
    CONTRACT = 4


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a model beside its prices. `None` is unknown, in tokens otherwise."""

    display_name: str = ""
    context_window: int | None = None
    max_output: int | None = None
    deprecated: bool = False

    def over(self, lower: "ModelCard") -> "ModelCard":
        """This card, with what it leaves open filled from a lower one."""
        return ModelCard(
            self.display_name or lower.display_name,
            lower.context_window if self.context_window is None else self.context_window,
            lower.max_output if self.max_output is None else self.max_output,
            self.deprecated or lower.deprecated,
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """One model of one provider in one source.

    Attributes:
        provider: who bills.
        model: the provider's own id of the model.
        card: what is known beside the prices.
        rows: its prices; none when `unpriced` says why.
        unpriced: why the source gives no price that we can apply.
        uncounted: prices that the source states for what no usage record counts.
        aliases: other names of the same model.
    """

    provider: str
    model: str
    card: ModelCard
    rows: tuple[PriceRow, ...] = ()
    unpriced: str = ""
    uncounted: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class SuffixEffect(StrEnum):
    """What a suffix of a model's name does to its price."""

    SAME = "same"
    """Nothing: it only steers the routing."""
    ADDS = "adds"
    """The rates of the base model, and further ones."""
    FREE = "free"
    """Every token is free of charge, explicitly."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """A suffix such as `:online` at a provider. `rates` are the further ones, or the free ones."""

    provider: str
    text: str
    effect: SuffixEffect
    source: str
    rates: Mapping[Meter, Rate]


FREE_RATES: Final[Mapping[Meter, Rate]] = {
    meter: Rate("0", 1_000_000, 0, exact=True) for meter in (Meter.INPUT, Meter.OUTPUT)
}
"""What an explicitly free model costs. A search on it still needs a price."""
