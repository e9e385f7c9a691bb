"""A client of HTTP/1.1 for one provider: kept connections, TLS, whole pieces as they arrive.

It parses with `httptools`, as the server side does, and runs on the gateway's own event loop. That
is why it is here: client libraries cost more than everything else that the gateway does to a call
(docs/benchmarks.md has the figures). It speaks what providers of this API need: a length known
beforehand, answers of any framing. It follows no redirects and sends nothing twice.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from tokonomi import __version__
from tokonomi.dialects.addresses import ANTHROPIC_VERSION, key_headers
from tokonomi.dialects.destination import Destination
from tokonomi.errors import BadConfig
from tokonomi.gateway.connect import Endpoint
from tokonomi.gateway.spoken import all_spoken, first_spoken
from tokonomi.gateway.upstream import Broken, Unreachable, Untrusted, at_ease
from tokonomi.routing.provider import Provider, TlsVersion

_HEAD_BYTES: Final = 64 * 1024
_BUFFERED_BYTES: Final = 256 * 1024
_IDLE_SECONDS: Final = 15.0
_FIRST_FINAL_STATUS: Final = 200
_KEPT_HEADS: Final = 1_000
"""Paths whose heads are kept: some dialects have the model in the path."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
"""The fields that say where a body ends; without one it ends with its connection."""
_TLS_VERSIONS: Final[Mapping[TlsVersion, ssl.TLSVersion]] = {
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


class Connection(asyncio.Protocol):
    """One connection, and the one exchange that is on it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._head_bytes = 0
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._busy = False
        self._once = False
        self._framed = False
        self._until_close = False
        self._keep = False
        self._surplus = False
        self._head_done = False
        self._done = False
        self._error: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin on it."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes) -> None:
        """Sends a request; returns when the head of its answer is there.

        Raises:
            Broken: the connection failed first.
        """
        assert self._transport is not None, "it is connected"
        self._busy, self._done, self._head_done = True, False, False
        self._transport.writelines((head, body))
        while not self._head_done:
            await self._more()
        if self._error is not None:
            raise Broken(self._error)

    async def send(self, head: bytes, pieces: AsyncIterator[bytes]) -> None:
        """The same for a body that comes in pieces, no faster than they are taken.

        Raises:
            Broken: the connection failed before the head of the answer.
        """
        assert self._transport is not None, "it is connected"
        self._busy, self._done, self._head_done = True, False, False
        # The other side may answer before it has heard all, so it takes no further exchange.
        self._once = True
        self._transport.write(head)
        async for piece in pieces:
            if not self.usable or self._head_done:
                break
            self._transport.write(piece)
            if self._writable is not None:
                await self._writable
        while not self._head_done:
            await self._more()
        if self._error is not None:
            raise Broken(self._error)

    async def piece(self) -> bytes:
        """The bytes that have come since the last time, empty when there are no more."""
        while not self._pieces and not self._done:
            await self._more()
        if not self._pieces:
            return b""
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    def release(self) -> bool:
        """Whether the exchange is over and the connection can take another one; else it is cut."""
        keep = self._done and self._keep and not (self._surplus or self._once) and self.usable
        self._pieces.clear()
        self._busy = False
        if not keep:
            self.abort()
        return keep

    def abort(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _more(self) -> asyncio.Future[None]:
        """Done when something has come, or nothing will.

        Raises:
            Broken: the connection has failed.
        """
        if self._error is not None:
            raise Broken(self._error)
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the event loop calls.

    def pause_writing(self) -> None:
        """More waits to be sent than should."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The other side has taken it."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if not self._busy or self._done:
            # Nothing was asked: such an answer could be taken for that of the next request.
            self._keep = False
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"its answer is not HTTP/1.1: {error}")
        if self._buffered > _BUFFERED_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        self.resume_writing()
        if self._done or self._error is not None:
            return
        if self._head_done and self._until_close and exc is None:
            self._done = True
        else:
            self._error = str(exc) if exc else "the connection was closed before the end"
        self._wake()

    def _fail(self, why: str) -> None:
        self._error = why
        self._keep = False
        self.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer begins; after the end of ours, one that nobody asked for."""
        self._surplus = self._done
        if not self._surplus:
            self.headers = []
            self._framed = False
            self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        if self._surplus:
            return
        name = name.lower()
        self.headers.append((name, value))
        if name in _FRAMING:
            self._framed = True
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_BYTES:
            self._fail(f"the head of its answer is larger than {_HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """The head of an answer is there; one below 200 announces another one."""
        status = self._parser.get_status_code()
        if status >= _FIRST_FINAL_STATUS and not self._surplus:
            self.status = status
            self._head_done = True
            self._until_close = not self._framed

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._surplus:
            return
        self._pieces.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._head_done:
            self._done = True
            self._keep = self._parser.should_keep_alive() and not self._surplus


class PooledConnection(Connection):
    """A connection of a pool, which is the reply to the request that is on it.

    It goes back to its pool when that is over.
    """

    def __init__(self, pool: "HttpUpstream") -> None:
        super().__init__()
        self._pool = pool

    def close(self) -> None:
        """See `Reply.close`."""
        self._pool.give_back(self)


class HttpUpstream:
    """A provider over HTTP/1.1, with or without TLS."""

    def __init__(self, provider: Provider, secret: str, tls: ssl.SSLContext | None) -> None:
        address = urlsplit(provider.base_url)
        assert address.hostname, "the configuration was checked"
        self._endpoint = Endpoint(
            address.hostname,
            address.port or PORTS[address.scheme],
            tls,
            server_name=provider.server_name,
            allow_private=provider.allow_private,
        )
        self._idle: deque[PooledConnection] = deque()
        self._path = address.path.rstrip("/")
        self._host = address.netloc
        self._key_fields = _key_fields(provider, secret)
        self._fields = _fields(self._host, self._key_fields)
        self._heads: dict[str, bytes] = {}
        self._closed = False
        self.busy = 0
        """Connections with a call on them, or being made for one."""

    @property
    def idle(self) -> int:
        """Connections that are kept for the next call."""
        return len(self._idle)

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        connect_seconds: float,
        fields: bytes = b"",
        leaving: Callable[[], None] = at_ease,
    ) -> PooledConnection:
        """The answer, as soon as its head is there; see `Upstream.post`."""
        head = self._heads.get(path)
        if head is None:
            line = f"POST {self._path}{path} HTTP/1.1\r\n".encode("ascii")
            head = line + self._fields
            if len(self._heads) < _KEPT_HEADS:
                self._heads[path] = head
        self.busy += 1
        try:
            connection = self._take() or await self._connect(connect_seconds)
        except BaseException:
            self.busy -= 1
            raise
        leaving()
        try:
            await connection.exchange(b"%b%d\r\n%b\r\n" % (head, len(body), fields), body)
        except BaseException:
            self.busy -= 1
            connection.abort()
            raise
        return connection

    async def transfer(self, errand: "Transfer", *, connect_seconds: float) -> PooledConnection:
        """The answer to what is no call, as soon as its head is there: files, batches, lists.

        It has a connection of its own, since a kept one may be closing, and a file is not sent
        twice.

        Raises:
            Unreachable: no connection came about.
            Broken: it failed before the head of the answer.
        """
        line = f"{errand.method} {self._path}{errand.path} HTTP/1.1\r\n".encode("ascii")
        fields = _fields(self._host, self._key_fields, content_type=errand.content_type)
        self.busy += 1
        try:
            connection = await self._connect(connect_seconds)
        except BaseException:
            self.busy -= 1
            raise
        try:
            head = b"%b%b%d\r\n\r\n" % (line, fields, errand.length)
            await connection.send(head, errand.pieces)
        except BaseException:
            self.busy -= 1
            connection.abort()
            raise
        return connection

    def give_back(self, connection: PooledConnection) -> None:
        """Keeps the connection of an exchange that is over, or cuts that of one that is not."""
        self.busy -= 1
        if connection.release():
            if self._closed:
                connection.abort()
                return
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    def close(self) -> None:
        """Closes all connections, those of calls in flight when their answers have come."""
        self._closed = True
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> PooledConnection | None:
        """The connection that was used last; those that were idle for long are closed.

        A provider closes idle connections too, and a request that meets that moment is lost: it may
        or may not have been read, so it is not sent again.
        """
        oldest = time.monotonic() - _IDLE_SECONDS
        while self._idle and (self._idle[0].idle_since < oldest or not self._idle[0].usable):
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, seconds: float) -> PooledConnection:
        try:
            async with asyncio.timeout(seconds):
                return await self._endpoint.connect(partial(PooledConnection, self))
        except TimeoutError:
            raise Unreachable(f"no connection within {seconds:g} s") from None
        except ssl.SSLError as error:
            raise Untrusted(str(error)) from None
        except OSError as error:
            raise Unreachable(str(error) or type(error).__name__) from None


async def _nothing() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is asked of a provider besides calls.

    Attributes:
        method: of HTTP.
        path: below the base address, with its query.
        pieces: the body.
        length: of the body, in bytes.
        content_type: of the body.
    """

    method: str
    path: str
    pieces: AsyncIterator[bytes] = field(default_factory=_nothing)
    length: int = 0
    content_type: str = "application/json"


def open_upstream(name: str, provider: Provider, secret: str) -> HttpUpstream:
    """The provider, ready to be called.

    Raises:
        BadConfig: its certificates cannot be read, or its key cannot stand in a header.
    """
    if not (secret.isascii() and secret.isprintable()):
        raise BadConfig(f"providers.{name}: its key has characters that no header can carry")
    tls: ssl.SSLContext | None = None
    if provider.base_url.startswith("https:"):
        tls = _tls_of(name, provider)
    return HttpUpstream(provider, secret, tls)


def _key_fields(provider: Provider, secret: str) -> dict[str, str]:
    """The header fields that show the key as the provider's dialect wants it."""
    to = Destination(dialect=first_spoken(provider), model="", azure=provider.dialect == "azure")
    fields = dict(key_headers(to, secret)) if secret else {}
    if "anthropic_messages" in all_spoken(provider):
        fields["anthropic-version"] = ANTHROPIC_VERSION
    return fields


def _tls_of(name: str, provider: Provider) -> ssl.SSLContext:
    tls = ssl.create_default_context()
    tls.set_alpn_protocols(["http/1.1"])
    tls.minimum_version = _TLS_VERSIONS[provider.tls_minimum]
    part = "ca_file"
    try:
        if provider.ca_file:
            tls.load_verify_locations(provider.ca_file)
        part = "client_cert_file"
        if provider.client_cert_file:
            tls.load_cert_chain(provider.client_cert_file, provider.client_key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(
            f"providers.{name}: {part} {getattr(provider, part)} cannot be read: {error}",
            remedy="Name a file of certificates in PEM, and the file of its key.",
        ) from error
    return tls


def _fields(
    host: str, key_fields: Mapping[str, str], *, content_type: str = "application/json"
) -> bytes:
    """The header fields of every request, up to where the length goes."""
    fields = {
        "host": host,
        "user-agent": f"tokonomi/{__version__}",
        "accept": "application/json, text/event-stream",
        # What is compressed could not be read for its usage.
        "accept-encoding": "identity",
        "content-type": content_type,
        **key_fields,
        "content-length": "",
    }
    text = "\r\n".join(f"{name}: {value}" for name, value in fields.items())
    return text.encode("ascii")
