"""The port to providers: what the gateway asks of a client, and how a call can fail."""

from collections.abc import Callable, Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


def at_ease() -> None:
    """Nobody waits for the moment at which a request leaves."""


class Unreachable(Exception):
    """No connection to the provider: it got nothing of the request."""


class Untrusted(Unreachable):
    """TLS did not come about: a certificate that is not trusted, or no common protocol."""


class Broken(Exception):
    """The connection failed after the request had left, or what came was not HTTP."""


class Reply(Protocol):
    """A provider's answer as it arrives."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields, with lower-case names."""
        ...

    async def piece(self) -> bytes:
        """The next bytes of the body as soon as they are there, empty at its proper end.

        Raises:
            Broken: the connection failed before the end.
        """
        ...

    def close(self) -> None:
        """Lets go of the answer; what has not arrived is given up, and the connection with it."""
        ...


class Upstream(Protocol):
    """One provider, called over connections that are kept."""

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        connect_seconds: float,
        fields: bytes = b"",
        leaving: Callable[[], None] = at_ease,
    ) -> Reply:
        """The answer, as soon as its head is there.

        `connect_seconds` limits the making of a new connection, TLS included; `fields` are further
        header lines, each with its line end. `leaving` is called when there is a connection, and
        the request leaves.

        Raises:
            Unreachable: no connection came about.
            Broken: it failed before the head of the answer.
        """
        ...

    def close(self) -> None:
        """Closes all connections, those of calls in flight when their answers have come."""
        ...
