"""Who watches calls and requests: metrics, logs, traces. None of them decides anything.

The dispatcher tells of attempts, the application of requests. An observer is called on the event
loop and must be done at once; what takes longer it does elsewhere.
"""

from collections.abc import Callable, Sequence
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
    """Several observers as one; who wants to know of something is told in turn.

    Attributes:
        of_beginnings: what each does in `Observer.attempt_begins`.
        of_attempts: what each does in `Observer.attempt_ended`.
        of_requests: what each does in `Observer.request_ended`.
    """

    of_beginnings: Sequence[Callable[[Exchange], bytes]] = ()
    of_attempts: Sequence[Callable[[Exchange, Call, Sequence[Captured]], None]] = ()
    of_requests: Sequence[Callable[[Asked], None]] = ()

    def attempt_begins(self, exchange: Exchange) -> bytes:
        """See `Observer.attempt_begins`; the lines of all, one after the other."""
        lines = b""
        for begins in self.of_beginnings:
            lines += begins(exchange)
        return lines

    def attempt_ended(self, exchange: Exchange, call: Call, captured: Sequence[Captured]) -> None:
        """See `Observer.attempt_ended`; the request keeps the call."""
        asked = exchange.asked
        asked.calls.append(call)
        asked.unsent += not exchange.sent
        for ended in self.of_attempts:
            ended(exchange, call, captured)

    def request_ended(self, asked: Asked) -> None:
        """See `Observer.request_ended`."""
        for ended in self.of_requests:
            ended(asked)
