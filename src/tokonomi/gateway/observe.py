"""Who watches calls and requests: metrics, logs, traces. None of them decides anything.

The dispatcher tells of attempts, the application of requests. An observer is called on the event
loop and must be done at once; what takes longer it does elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tokonomi.calls import Call
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Captured


class Observer(Protocol):
    """What is told of every call and every request."""

    def attempt_begins(self, exchange: Exchange, /) -> bytes:
        """Header lines for the provider, each with its line end; called before the request leaves.

        `exchange.held` and `exchange.intent` are set.
        """
        ...

    def attempt_ended(
        self, exchange: Exchange, call: Call, captured: Sequence[Captured], /
    ) -> None:
        """Takes note of a settled attempt; its row is on its way to the store."""
        ...

    def request_ended(self, asked: Asked, /) -> None:
        """Takes note of a request whose answer was given, or that was left."""
        ...


@dataclass(frozen=True, slots=True)
class Observers:
    """Several observers as one; each is told in turn."""

    each: tuple[Observer, ...]

    def attempt_begins(self, exchange: Exchange) -> bytes:
        """See `Observer.attempt_begins`; the lines of all, one after the other."""
        return b"".join([it.attempt_begins(exchange) for it in self.each])

    def attempt_ended(self, exchange: Exchange, call: Call, captured: Sequence[Captured]) -> None:
        """See `Observer.attempt_ended`; the request keeps the call."""
        exchange.asked.calls.append(call)
        exchange.asked.unsent += not exchange.sent
        for it in self.each:
            it.attempt_ended(exchange, call, captured)

    def request_ended(self, asked: Asked) -> None:
        """See `Observer.request_ended`."""
        for it in self.each:
            it.request_ended(asked)
