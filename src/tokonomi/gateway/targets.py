"""What the chain is told of each target: how long it may take, how much it reads, if it is let."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from tokonomi.dialects.refusal import Untranslatable
from tokonomi.gateway.aliases import Destination, Target
from tokonomi.gateway.breakers import Breakers
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.errand import Errand
from tokonomi.gateway.outgoing import form_of, outgoing, search_of, spoken_to
from tokonomi.gateway.wire_errors import WireError
from tokonomi.pricing.book import PriceBook
from tokonomi.routing.breaker import OPEN_TO_ALL, Gate
from tokonomi.routing.chain import Facts

_HAVE_EMBEDDINGS: Final = frozenset({"openai", "azure"})
MOST_KNOWN: Final = 10_000
"""Targets whose facts are kept: an alias with a star stands for as many as clients make up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The facts of all targets, found once each."""

    book: PriceBook
    breakers: Breakers
    _facts: dict[Target, Facts] = field(default_factory=dict[Target, Facts])
    _native: dict[tuple[Destination, Endpoint], tuple[Facts, ...]] = field(
        default_factory=dict[tuple[Destination, Endpoint], tuple[Facts, ...]]
    )

    def of(self, errand: Errand) -> tuple[tuple[Facts, ...], tuple[Gate, ...]]:
        """Facts and gates of the targets of a request, in their order."""
        where = errand.destination, errand.endpoint
        facts = self._native.get(where)
        if facts is None:
            facts = self._of(errand)
            if len(self._native) < MOST_KNOWN and _is_native(errand):
                self._native[where] = facts
        return facts, self.gates(errand.destination)

    def _of(self, errand: Errand) -> tuple[Facts, ...]:
        facts = [self._known(target) for target in errand.destination.targets]
        for place, target in enumerate(errand.destination.targets):
            if _refusal(errand, target) is not None:
                facts[place] = replace(facts[place], carries=False)
            elif errand.destination.terms.resume:
                continues = form_of(target, errand.endpoint) != "none"
                facts[place] = replace(facts[place], continues=continues)
        return tuple(facts)

    def gates(self, destination: Destination) -> tuple[Gate, ...]:
        """Whether each target may be called now."""
        if self.breakers.all_closed:
            return (OPEN_TO_ALL,) * len(destination.targets)
        now = datetime.now(UTC)
        return tuple([self.breakers.gate(each.breaker, now) for each in destination.targets])

    def cannot_carry(self, errand: Errand) -> WireError:
        """The answer to a request that the dialect of none of its targets can express."""
        refusals = [_refusal(errand, target) for target in errand.destination.targets]
        first = next(each for each in refusals if each is not None)
        return WireError(400, "untranslatable", str(first), param=first.path)

    def _known(self, target: Target) -> Facts:
        facts = self._facts.get(target)
        if facts is None:
            entry = self.book.find(target.price_as, target.model)
            window = None if entry is None else entry.card.context_window
            terms = target.terms
            facts = Facts(
                timeouts=target.provider.timeouts,
                context_window=terms.context_window or window,
            )
            if len(self._facts) < MOST_KNOWN:
                self._facts[target] = facts
        return facts


def _is_native(errand: Errand) -> bool:
    """Whether all targets speak what every such request is written in, so none can refuse one.

    A destination that stands for a star is made anew for each request.
    """
    destination, endpoint = errand.destination, errand.endpoint
    return not destination.label.endswith("*") and all(
        spoken_to(target, endpoint) is endpoint.dialect for target in destination.targets
    )


def _refusal(errand: Errand, target: Target) -> Untranslatable | None:
    """What of a request a target's dialect cannot say."""
    if errand.endpoint.ingress is None and target.provider.dialect not in _HAVE_EMBEDDINGS:
        why = f"is served by {target.name}, which is not asked for embeddings"
        return Untranslatable("model", why, "Name a model of a provider with OpenAI's interface.")
    if spoken_to(target, errand.endpoint) is errand.endpoint.dialect:
        return None
    search = search_of(errand.request, target)
    found = outgoing(errand.request, errand.endpoint, target, search=search)
    return found if isinstance(found, Untranslatable) else None
