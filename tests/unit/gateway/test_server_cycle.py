"""The head of an answer and what follows it: how many writes they are, and what they may be."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from tokonomi.gateway.server_cycle import Cycle

BODY = b"body"
LENGTH = (b"Content-Length", b"4")
HEAD = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 4\r\n\r\n"


class Wire(asyncio.Transport):
    """What a transport was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("close")


def begun(*fields: tuple[bytes, bytes], status: int = 200) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": [*fields]}


def part(body: bytes, *, more: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def told(
    *messages: Mapping[str, Any], method: str = "POST", keep_alive: bool = True
) -> list[bytes | str]:
    """What the wire was told of an answer; "answered" where that was whole."""
    wire = Wire()

    async def answer() -> None:
        cycle = Cycle(
            scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
            transport=wire,
            flow=FlowControl(wire),
            logger=logging.getLogger("test"),
            access_logger=logging.getLogger("test"),
            access_log=False,
            default_headers=[(b"date", b"now")],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=lambda: wire.told.append("answered"),
        )
        for message in messages:
            await cycle.send(message)

    asyncio.run(answer())
    return wire.told


def test_a_head_and_its_body_are_one_write() -> None:
    assert told(begun(LENGTH), part(BODY)) == [HEAD + BODY, "answered"]


def test_a_head_waits_for_the_body() -> None:
    assert told(begun(LENGTH)) == []


def test_pieces_of_a_stream_are_never_held_back() -> None:
    pieces = told(begun(), part(b"a", more=True), part(b"bc", more=True), part(b""))
    head = b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"
    assert pieces == [head + b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n", "answered"]


def test_the_answer_to_head_is_a_head_alone() -> None:
    assert told(begun(LENGTH), part(BODY), method="HEAD") == [HEAD, "answered"]


def test_a_status_without_a_body_says_no_framing() -> None:
    head = b"HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n"
    assert told(begun(status=204), part(b"")) == [head, "answered"]


def test_a_connection_that_is_not_kept_says_so_once_and_closes() -> None:
    closing = HEAD[:-2] + b"connection: close\r\n\r\n" + BODY
    assert told(begun(LENGTH), part(BODY), keep_alive=False) == [closing, "close", "answered"]
    said = told(begun(LENGTH, (b"connection", b"Close")), part(BODY))
    assert said == [HEAD[:-2] + b"connection: Close\r\n\r\n" + BODY, "close", "answered"]


@pytest.mark.parametrize("body", [b"bod", b"bodyy"])
def test_a_body_of_another_length_than_was_said_is_no_answer(body: bytes) -> None:
    with pytest.raises(RuntimeError, match="than its content-length"):
        told(begun(LENGTH), part(body))


@pytest.mark.parametrize("field", [(b"a", b"b\r\nc: d"), (b"a\n", b"b"), (b"a b", b"c")])
def test_a_field_that_would_end_its_line_is_refused(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(RuntimeError, match="no field can carry"):
        told(begun(field))


@pytest.mark.parametrize(
    "messages",
    [
        [part(BODY)],
        [begun(), begun()],
        [begun(), part(b""), part(BODY)],
        [{"type": "websocket.send"}],
    ],
)
def test_a_message_that_is_not_in_its_place_is_refused(messages: list[dict[str, object]]) -> None:
    with pytest.raises(RuntimeError, match="not in its place"):
        told(*messages)
