"""Our client of HTTP/1.1, against a server that says exactly what a test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.errors import BadConfig
from tokonomi.gateway.http_client import HttpUpstream, open_upstream
from tokonomi.gateway.upstream import Broken, Unreachable
from tokonomi.routing.provider import Provider, Timeouts

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Mixed: Case\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: v\r\n\r\n"
)
CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello"
Test = Callable[[HttpUpstream, "Server"], Awaitable[None]]


class Server:
    """Sends the given pieces for each request, one after the other."""

    def __init__(self, pieces: list[bytes], *, closes: bool) -> None:
        self.pieces = pieces
        self.closes = closes
        self.requests: list[bytes] = []
        self.connections = 0
        self.tasks: list[asyncio.Task[object]] = []
        self.lost = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.transport.abort()


def against(pieces: list[bytes], test: Test, *, closes: bool = False) -> None:
    async def run() -> None:
        ours = Server(pieces, closes=closes)
        server = await asyncio.start_server(ours.connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upstream = open_upstream(
            "p", Provider(base_url=f"http://127.0.0.1:{port}/v1/", allow_private=True), "sk-1"
        )
        async with asyncio.timeout(10):
            await test(upstream, ours)
        upstream.close()
        server.close()
        for task in ours.tasks:
            task.cancel()
        await asyncio.gather(*ours.tasks, return_exceptions=True)

    asyncio.run(run())


async def body_of(upstream: HttpUpstream, body: bytes = b"{}") -> tuple[int, bytes]:
    reply = await upstream.post("/chat/completions", body)
    pieces: list[bytes] = []
    while piece := await reply.piece():
        pieces.append(piece)
    reply.close()
    return reply.status, b"".join(pieces)


def broken_at(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


def test_a_request_says_what_it_must_and_nothing_else() -> None:
    async def test(upstream: HttpUpstream, server: Server) -> None:
        await body_of(upstream, b'{"a": 1}')
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        names = [line.split(":")[0] for line in lines[1:]]
        assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
        assert names == [
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "content-type",
            "authorization",
            "content-length",
        ]
        assert "authorization: Bearer sk-1" in lines
        assert (lines[-1], body) == ("content-length: 8", b'{"a": 1}')

    against([OK], test)


@pytest.mark.parametrize(("answer", "closes"), [(OK, False), (CHUNKED, False), (CLOSED, True)])
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=120), max_size=8))
def test_an_answer_is_the_same_however_it_is_broken(
    answer: bytes, *, closes: bool, cuts: list[int]
) -> None:
    async def test(upstream: HttpUpstream, _: Server) -> None:
        assert await body_of(upstream) == (200, b"hello")
        assert await body_of(upstream) == (200, b"hello")

    against(broken_at(answer, cuts), test, closes=closes)


def test_header_names_are_lower_case_and_values_are_untouched() -> None:
    async def test(upstream: HttpUpstream, _: Server) -> None:
        reply = await upstream.post("/x", b"")
        assert list(reply.headers) == [(b"content-length", b"5"), (b"x-mixed", b"Case")]
        reply.close()

    against([OK], test)


def test_a_connection_serves_many_requests_one_after_another() -> None:
    async def test(upstream: HttpUpstream, server: Server) -> None:
        for _ in range(5):
            await body_of(upstream)
        assert server.connections == 1
        await asyncio.gather(*(body_of(upstream) for _ in range(3)))
        assert server.connections == 3

    against([OK], test)


def test_an_answer_that_is_let_go_early_cuts_its_connection() -> None:
    async def test(upstream: HttpUpstream, server: Server) -> None:
        reply = await upstream.post("/x", b"")
        reply.close()
        await server.lost.wait()
        assert server.connections == 1

    against([CHUNKED[:-30]], test)


def test_a_request_that_is_cancelled_cuts_its_connection() -> None:
    async def test(upstream: HttpUpstream, server: Server) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await upstream.post("/x", b"")
        await server.lost.wait()

    against([], test)


def test_bytes_that_nobody_asked_for_are_not_taken_for_the_next_answer() -> None:
    async def test(upstream: HttpUpstream, server: Server) -> None:
        assert await body_of(upstream) == (200, b"hello")
        await server.lost.wait()
        assert await body_of(upstream) == (200, b"hello")
        assert server.connections == 2

    against([OK, OK.replace(b"hello", b"false")], test)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        CHUNKED[:-14],
        b"HTTP/1.1 200",
        b"",
        b"\x16\x03\x01 not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_or_not_one_is_broken(answer: bytes) -> None:
    async def test(upstream: HttpUpstream, _: Server) -> None:
        with pytest.raises(Broken):
            await body_of(upstream)

    against([answer], test, closes=True)


def test_a_large_body_arrives_whole_while_the_reader_is_slow() -> None:
    size = 3_000_000

    async def test(upstream: HttpUpstream, _: Server) -> None:
        reply = await upstream.post("/x", b"")
        got = 0
        while piece := await reply.piece():
            got += len(piece)
            await asyncio.sleep(0)
        assert got == size

    against([b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size], test)


def test_nobody_listening_is_told_apart_from_a_broken_answer() -> None:
    async def test() -> None:
        upstream = open_upstream(
            "p", Provider(base_url="http://127.0.0.1:9/v1", allow_private=True), ""
        )
        with pytest.raises(Unreachable, match="Errno"):
            await upstream.post("/x", b"")

    asyncio.run(test())


def test_a_connection_that_does_not_come_about_in_time_is_given_up() -> None:
    async def test() -> None:
        # An address of the block that is reserved for documentation: nothing answers there.
        limits = Timeouts(connect=0.05)
        upstream = open_upstream(
            "p", Provider(base_url="http://192.0.2.1", timeouts=limits, allow_private=True), ""
        )
        with pytest.raises(Unreachable):
            await upstream.post("/x", b"")

    asyncio.run(test())


@pytest.mark.parametrize("secret", ["sk\r\nx-evil: 1", "sk-\u00e9", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_refused(secret: str) -> None:
    with pytest.raises(BadConfig, match="no header can carry"):
        open_upstream("p", Provider(base_url="https://a/v1"), secret)


def test_certificates_that_cannot_be_read_are_told() -> None:
    with pytest.raises(BadConfig, match="ca_file"):
        open_upstream("p", Provider(base_url="https://a/v1", ca_file="/nowhere.pem"), "")
