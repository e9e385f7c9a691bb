"""A provider on a real socket. The model's name says how it behaves; it keeps what it received."""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

PIECES = ("Hello", " there", ",", " my", " friend", ".")
USAGE: dict[str, Any] = {
    "prompt_tokens": 21,
    "completion_tokens": 7,
    "total_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 5},
}
EMBEDDING_USAGE = {"prompt_tokens": 4, "total_tokens": 4}
SERVED = "gpt-4o-mini-2024-07-18"


@dataclass(frozen=True)
class Received:
    """One request, as its bytes came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    @property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.body)


class Hangup(Exception):
    """The connection is to be closed here and now."""


@dataclass
class FakeProvider:
    """Serves in a thread of its own between `start` and `stop`."""

    tls: ssl.SSLContext | None = None
    port: int = 0
    """Where it listens; 0 before `start` takes a free one."""
    received: list[Received] = field(default_factory=list[Received])
    connections: int = 0
    hangups: int = 0
    """Connections that the caller closed in the middle of an answer."""
    always: "Callable[[Received], Answer] | None" = None
    """How every request is answered, whatever model it names."""
    _connections: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def start(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        # A gateway that was killed may not have closed its connections yet.
        for connected in self._connections:
            connected.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        this = asyncio.current_task()
        assert this is not None
        self._connections.add(this)
        try:
            with contextlib.suppress(Hangup, ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer(await _read_request(reader), reader, writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            self._connections.discard(this)

    async def _answer(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.received.append(request)
        behaviour = self.always or BEHAVIOURS[request.fields["model"].partition(":")[0]]
        async for data in behaviour(request):
            if data is STALL:
                # Only the caller can end this: by closing the connection.
                await reader.read(1)
                self.hangups += 1
                raise Hangup
            writer.write(data)
            await writer.drain()


class Deaf:
    """An address that takes no connection: its queue is full, and nobody empties it."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = self._listener.getsockname()
        self._waiting = [socket.socket() for _ in range(4)]
        for each in self._waiting:
            each.setblocking(False)
            each.connect_ex(address)
        return f"http://127.0.0.1:{address[1]}"

    def __exit__(self, *_: object) -> None:
        for each in (*self._waiting, self._listener):
            each.close()


STALL = b"(stall)"
Answer = AsyncIterator[bytes]


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    pairs = [line.split(": ", 1) for line in head[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    method, path, _ = head[0].split(" ")
    return Received(path, headers, body, method)


def whole(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"x-request-id: req_fake\r\n\r\n"
)
STREAM_END = b"0\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(content: str | None, *, finish: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": SERVED,
        "choices": [choice],
        **more,
    }


def usage_chunk(usage: object) -> dict[str, object]:
    return {**chunk(None), "choices": [], "usage": usage}


def completion(usage: object) -> bytes:
    message = {"role": "assistant", "content": "".join(PIECES)}
    reply = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": SERVED,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "x_unknown": {"kept": [1.0, "as it is"]},
    }
    return json.dumps(reply if usage is None else {**reply, "usage": usage}).encode()


async def plain(request: Received) -> Answer:
    if request.path.endswith("/embeddings"):
        vectors = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
        reply = {"object": "list", "data": vectors, "model": "text-embedding-3-small"}
        yield whole(200, json.dumps({**reply, "usage": EMBEDDING_USAGE}).encode())
    elif request.fields.get("stream"):
        yield STREAM_HEAD
        async for part in _events():
            yield part
        if request.fields.get("stream_options", {}).get("include_usage"):
            yield chunked(event(usage_chunk(USAGE)))
        yield chunked(b"data: [DONE]\n\n")
        yield STREAM_END
    else:
        yield whole(200, completion(USAGE), more="x-request-id: req_fake\r\n")


async def _events() -> Answer:
    for piece in PIECES:
        yield chunked(event(chunk(piece, usage=None)))
    yield chunked(event(chunk(None, finish="stop", usage=None)))


async def bytewise(request: Received) -> Answer:
    """The plain stream, broken into single bytes wherever that falls."""
    async for part in plain(request):
        for byte in part:
            yield bytes([byte])


async def no_usage(request: Received) -> Answer:
    if not request.fields.get("stream"):
        yield whole(200, completion(None))
        return
    yield STREAM_HEAD
    async for part in _events():
        yield part
    yield chunked(b"data: [DONE]\n\n")
    yield STREAM_END


async def slowly(request: Received) -> Answer:
    """The plain answer, with a pause before each part of it: `slowly:500` is half a second."""
    pause_ms = int(request.fields["model"].partition(":")[2] or 20)
    async for part in plain(request):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), pause_ms / 1_000)
        yield part


async def odd_usage(_request: Received) -> Answer:
    yield whole(200, completion({**USAGE, "prompt_tokens_details": {"cached_tokens": 500}}))


async def no_done(_request: Received) -> Answer:
    yield STREAM_HEAD
    async for part in _events():
        yield part
    yield chunked(event(usage_chunk(USAGE)))
    yield STREAM_END


async def cut(request: Received) -> Answer:
    """Ends the connection in the middle, of a stream or of a body."""
    if not request.fields.get("stream"):
        yield whole(200, completion(USAGE))[:-40]
        raise Hangup
    yield STREAM_HEAD
    for piece in PIECES[:3]:
        yield chunked(event(chunk(piece)))
    raise Hangup


async def ends_early(_request: Received) -> Answer:
    """Ends the stream properly, but before its last event."""
    yield STREAM_HEAD
    for piece in PIECES[:3]:
        yield chunked(event(chunk(piece)))
    yield STREAM_END


async def stall(_request: Received) -> Answer:
    yield STREAM_HEAD
    for piece in PIECES[:3]:
        yield chunked(event(chunk(piece)))
    yield STALL


async def babbles(_request: Received) -> Answer:
    """Writes on for as long as anybody reads."""
    yield STREAM_HEAD
    while True:
        yield chunked(event(chunk("word " * 200)))


async def silent(_request: Received) -> Answer:
    yield STALL


async def breaks_off(_request: Received) -> Answer:
    """Reports an error as an event of its stream."""
    yield STREAM_HEAD
    yield chunked(event(chunk(PIECES[0])))
    yield chunked(event({"error": {"message": "overloaded", "type": "server_error", "code": 503}}))
    yield STREAM_END


def refusing(status: int, more: str = "") -> Callable[[Received], Answer]:
    async def refuse(_request: Received) -> Answer:
        error = {"message": f"provider says {status}", "type": "some_error", "code": f"c{status}"}
        yield whole(status, json.dumps({"error": error}).encode(), more=more)

    return refuse


async def refuses_us_inside(_request: Received) -> Answer:
    """Begins its stream with what it has against whoever calls it."""
    error = {"message": "the account of Ani", "type": "error", "code": "invalid_api_key"}
    yield STREAM_HEAD
    yield chunked(event({"error": error}))
    yield STREAM_END


async def refuses_us_midway(_request: Received) -> Answer:
    """The same when some of its answer has gone out."""
    error = {"message": "the account of Ani", "type": "error", "code": "invalid_api_key"}
    yield STREAM_HEAD
    yield chunked(event(chunk(PIECES[0])))
    yield chunked(event({"error": error}))
    yield STREAM_END


async def not_json(_request: Received) -> Answer:
    yield whole(200, b"<html>gateway of somebody else</html>", kind="text/html")


async def error_inside(_request: Received) -> Answer:
    """Reports an error under a status of success."""
    error = {"message": "overloaded", "type": "server_error", "code": 503}
    yield whole(200, json.dumps({"error": error}).encode())


async def not_http(_request: Received) -> Answer:
    yield b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
    raise Hangup


async def closes(_request: Received) -> Answer:
    """Answers well and closes the connection, as it says."""
    yield whole(200, completion(USAGE), more="connection: close\r\n")
    raise Hangup


async def until_close(_request: Received) -> Answer:
    """Answers without a length: the end of the connection is the end of the body."""
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + completion(USAGE)
    raise Hangup


async def early_hints(request: Received) -> Answer:
    yield b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async for part in plain(request):
        yield part


BEHAVIOURS: Mapping[str, Callable[[Received], Answer]] = {
    "gpt-4o-mini": plain,
    "text-embedding-3-small": plain,
    "bytewise": bytewise,
    "slowly": slowly,
    "no-usage": no_usage,
    "odd-usage": odd_usage,
    "no-done": no_done,
    "cut": cut,
    "ends-early": ends_early,
    "stall": stall,
    "silent": silent,
    "babbles": babbles,
    "breaks-off": breaks_off,
    "refuses-400": refusing(400),
    "refuses-401": refusing(401),
    "refuses-402": refusing(402),
    "refuses-403": refusing(403),
    "refuses-404": refusing(404),
    "refuses-429": refusing(429, "retry-after: 7\r\nx-ratelimit-limit-requests: 60\r\n"),
    "refuses-500": refusing(500),
    "refuses-us-inside": refuses_us_inside,
    "refuses-us-midway": refuses_us_midway,
    "redirects": refusing(302, "location: http://127.0.0.1:1/\r\n"),
    "not-json": not_json,
    "error-inside": error_inside,
    "not-http": not_http,
    "closes": closes,
    "until-close": until_close,
    "early-hints": early_hints,
}
