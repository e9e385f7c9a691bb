"""What the chain is told of each target: how long it may take, how much it reads, if it is let."""

from dataclasses import dataclass, field
from typing import Final

from tokonomi.gateway.aliases import Destination, Target
from tokonomi.pricing.book import PriceBook
from tokonomi.routing.breaker import Gate
from tokonomi.routing.chain import Facts

_OPEN: Final = Gate()


@dataclass(frozen=True, slots=True)
class Targets:
    """The facts of all targets, found once each."""

    book: PriceBook
    _facts: dict[Target, Facts] = field(default_factory=dict[Target, Facts])

    def of(self, destination: Destination) -> tuple[tuple[Facts, ...], tuple[Gate, ...]]:
        """Facts and gates of a destination's targets, in their order."""
        facts = tuple([self._known(target) for target in destination.targets])
        return facts, (_OPEN,) * len(facts)

    def _known(self, target: Target) -> Facts:
        facts = self._facts.get(target)
        if facts is None:
            entry = self.book.find(target.price_as, target.model)
            window = None if entry is None else entry.card.context_window
            facts = Facts(timeouts=target.provider.timeouts, context_window=window)
            if len(self._facts) < MOST_KNOWN:
                self._facts[target] = facts
        return facts


MOST_KNOWN: Final = 10_000
"""Targets whose facts are kept: an alias with a star stands for as many as clients make up."""
