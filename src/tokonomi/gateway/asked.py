"""A client's request as those see it who watch: what is known of it while it goes on."""

import time
from typing import Final

from msgspec import Struct, field

from tokonomi.calls import Call

_NANOSECONDS_PER_MS: Final = 1_000_000


class Asked(Struct):
    """One request of a client, from its arrival to the last byte of its answer.

    What is not known when a request is refused early stays empty.

    Attributes:
        route: method and path of the route that answers it.
        id: the request's id, which every answer to it bears.
        key_id: the virtual key.
        alias: the model as it was asked for, which is the client's own text.
        label: the alias as configured, or empty.
        status: the HTTP status of the answer, 0 while there is none.
        refused: the code of the error that the gateway answered with.
        limit: the kind of the key's limit that refused it.
        traceparent: the trace that the client says it belongs to, as it came.
        calls: the settled attempts, in their order.
        unsent: how many of them got nothing to their provider, so that nobody can bill them.
        begun_ns: monotonic instant of the arrival.
    """

    route: str = ""
    id: str = ""
    key_id: str = ""
    alias: str = ""
    label: str = ""
    status: int = 0
    refused: str = ""
    limit: str = ""
    traceparent: bytes = b""
    calls: list[Call] = []
    unsent: int = 0
    begun_ns: int = field(default_factory=time.monotonic_ns)

    @property
    def begun_at_ns(self) -> int:
        """The instant of the arrival, in nanoseconds since 1970."""
        return time.time_ns() - (time.monotonic_ns() - self.begun_ns)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the arrival."""
        return (time.monotonic_ns() - self.begun_ns) // _NANOSECONDS_PER_MS
