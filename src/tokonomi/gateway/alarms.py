"""Usage that a provider reports under a name that nobody here knows: said once, and counted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tokonomi.calls import Call
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Captured
from tokonomi.usage import Quarantined

_log: Final = logging.getLogger("tokonomi.gateway")
_MOST_TOLD: Final = 1_000
"""A provider that makes up keys must not fill the memory, nor the log."""


@dataclass(frozen=True, slots=True)
class UnknownKeys:
    """The unknown keys of one gateway process, by provider; an observer of calls."""

    metrics: Metrics
    _told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def attempt_ended(self, _exchange: Exchange, call: Call, _captured: Sequence[Captured]) -> None:
        """Takes note of a settled call."""
        self.note(call)

    def note(self, call: Call) -> None:
        """Counts the unknown keys of a settled call, and logs each the first time."""
        if isinstance(call.usage, Quarantined) or not call.usage.unknown_keys:
            return
        provider = call.intent.dimensions.provider
        self.metrics.unknown_usage_keys[(provider,)] += len(call.usage.unknown_keys)
        for key in call.usage.unknown_keys:
            self._tell(provider, key)

    def _tell(self, provider: str, key: str) -> None:
        if (provider, key) in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add((provider, key))
        _log.warning(
            "%s reports usage under %r, which is not known here and is not charged;"
            " tokonomi explain shows it for each call",
            provider,
            key,
        )
