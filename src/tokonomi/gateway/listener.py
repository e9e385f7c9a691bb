"""The gateway's side of its clients' connections: what a head may be, and how long all may take.

The server's protocol, as it comes, sets no limit to a request's head, waits for it for ever, and
keeps an answer that nobody reads for as long as the client likes. Here every connection is looked
at twice a second, and one that is late is ended; a request costs a comparison or two.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, parse_url
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tokonomi.gateway.config import Limits
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.server_cycle import Cycle
from tokonomi.gateway.wire_errors import GATEWAY, RATE_LIMIT, WireError

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, HTTPScope

LOOK_SECONDS: Final = 0.5
_FIELD_BYTES: Final = 4
"""What stands between a name and its value, and after it."""
_READ_BYTES: Final = 16 * 1024
"""What a client must at least read in `read_seconds` of an answer that waits for it."""
_NEVER: Final = float("inf")
_log: Final = logging.getLogger("tokonomi.gateway.listener")


class Connections:
    """All connections of one gateway process, and the limits that they keep to."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        # What strangers send must not fill the log: it is counted.
        _log.setLevel(logging.ERROR)
        self.limits = limits
        self.metrics = metrics
        self.open: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        self.clock = self._loop.time

    def protocol(self) -> "type[Connection]":
        """The class that the server makes the protocol of each connection from."""
        return type("Connection", (Connection,), {"all": self})

    def close(self) -> None:
        """Nobody looks any more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        now = self.clock()
        for connection in [*self.open]:
            connection.look(now)


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    all: Connections
    """Set by `Connections.protocol`, in a class of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self._limits = self.all.limits
        self._application = cast("ASGI3Application", self.app)
        self._unread = 0
        self._in_head = False
        self._asked = False
        self._size = 0
        self._head_due = _NEVER
        self._next_due = _NEVER
        self._read_due = _NEVER
        self._waiting_bytes = 0
        self._refusal: WireError | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection stands; it is told to go where there are too many."""
        super().connection_made(transport)
        self.all.open.add(self)
        self.all.metrics.connections = len(self.all.open)
        self._head_due = self.all.clock() + self._limits.head_seconds
        if len(self.all.open) > self._limits.connections:
            self._refuse(_too_many(self._limits.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.all.open.discard(self)
        self.all.metrics.connections = len(self.all.open)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; those that are still no part of a request are counted."""
        self._unread += len(data)
        self._next_due = _NEVER
        assert self.parser is not None, "the connection is not lost"
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._refuse(self._refusal or _not_http())
        except HttpParserUpgrade:
            # No other protocol is spoken here: the request is answered as if it asked for none.
            pass
        if self._unread > self._limits.head_bytes and not self.transport.is_closing():
            self._refuse(_head_too_large(self._limits))
        elif self._in_head and self._head_due is _NEVER and not self.transport.is_closing():
            # Most heads come at once, so nobody waits for them.
            self._head_due = self.all.clock() + self._limits.head_seconds

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url, self.headers = b"", []
        self._size, self._in_head, self.expect_100_continue = 0, True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of a head. Those that come after a body are nobody's: they are left out."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self._size += len(name) + len(value) + _FIELD_BYTES
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head, self._head_due, self._unread = False, _NEVER, 0
        limits, target_bytes = self._limits, len(self.url)
        if target_bytes > limits.target_bytes:
            self._refusal = _target_too_long(limits)
        elif (
            target_bytes + self._size > limits.head_bytes or len(self.headers) > limits.head_fields
        ):
            self._refusal = _head_too_large(limits)
        if self._refusal is not None:
            # The parser gives up, and what is told then is the refusal.
            raise self._refusal
        is_answering, self.cycle, self._asked = self._is_answering, self._cycle(), True
        if is_answering:
            # One request is answered after the other, however soon they are sent.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self._application))
        else:
            self._start_asgi_task(self.cycle, self._application)

    def _cycle(self) -> Cycle:
        """The request whose head is whole."""
        parser = self.parser
        assert parser is not None, "it has called"
        version, url = parser.get_http_version(), parse_url(self.url)
        path = url.path.decode("ascii")
        scope: HTTPScope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
        }
        return Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._unread = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._unread = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    # What ends an answer calls.

    def on_response_complete(self) -> None:
        """An answer is whole: the next request may come, if not at once then in time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._next_due = self.all.clock() + self.timeout_keep_alive

    # What is done twice a second.

    def look(self, now: float) -> None:
        """Ends the connection when what is waited for is late."""
        if self._is_answering:
            self._look_at_reader(now)
        elif now >= self._head_due:
            self._refuse(_head_too_slow(self._limits.head_seconds), silently=not self._in_head)
        elif now >= self._next_due:
            self.transport.close()
        else:
            self._look_at_reader(now)

    def _look_at_reader(self, now: float) -> None:
        """A client that lets an answer wait must read some of it in time.

        Nothing is added to what waits while the writer is paused, or when the answer is whole, so
        what is less was read.
        """
        waiting = self.transport.get_write_buffer_size()
        stands_still = self.flow.write_paused or not self._is_answering
        if not waiting or not stands_still:
            self._read_due = _NEVER
        elif self._read_due is _NEVER or self._waiting_bytes - waiting >= _READ_BYTES:
            self._read_due, self._waiting_bytes = now + self._limits.read_seconds, waiting
        elif now >= self._read_due:
            self.all.metrics.refused["client_too_slow"] += 1
            self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return self._asked and not self.cycle.response_complete

    def _refuse(self, error: WireError, *, silently: bool = False) -> None:
        self._head_due = _NEVER
        self.all.metrics.refused[error.code] += 1
        # In the middle of an answer nothing else can be said.
        if not silently and not self._is_answering:
            body = error.body()
            head = (
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                "content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()


def _too_many(limit: int) -> WireError:
    return WireError(
        503,
        "too_many_connections",
        f"{limit} connections are open, which is the limit. Try again, or raise [limits]"
        " connections.",
        kind=RATE_LIMIT,
        retry_after_seconds=1,
    )


def _head_too_large(limits: Limits) -> WireError:
    return WireError(
        431,
        "head_too_large",
        f"The head of the request is larger than {limits.head_bytes} bytes, or has more than"
        f" {limits.head_fields} fields. Send less, or raise [limits] head_bytes or head_fields.",
    )


def _target_too_long(limits: Limits) -> WireError:
    return WireError(
        414,
        "target_too_long",
        f"The address in the request is longer than {limits.target_bytes} bytes.",
    )


def _head_too_slow(seconds: float) -> WireError:
    return WireError(
        408, "head_too_slow", f"The head did not arrive within {seconds:g} s.", kind=GATEWAY
    )


def _not_http() -> WireError:
    return WireError(400, "invalid_http", "Invalid HTTP request received. Send HTTP/1.1.")
