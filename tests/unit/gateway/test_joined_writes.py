"""The head of an answer and what follows it: how many writes they are, and that no byte is lost."""

import asyncio
from collections.abc import Callable

import pytest

from tokonomi.gateway.joined_writes import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
BODY = b"body"


class Wire(asyncio.Transport):
    """What a transport was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def get_write_buffer_size(self) -> int:
        return 7


Step = Callable[[JoinedWrites], object]


def write(data: bytes | bytearray | memoryview) -> Step:
    return lambda it: it.write(data)


def told(*steps: Step) -> list[bytes | str]:
    """What the wire was told of steps in one turn of the loop, and in the turn after it."""
    wire = Wire()

    async def turn() -> None:
        joined = JoinedWrites(wire)
        for step in steps:
            step(joined)
        await asyncio.sleep(0)

    asyncio.run(turn())
    return wire.told


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_head_and_its_body_are_one_write(kind: type[bytes | bytearray | memoryview]) -> None:
    both = told(write(kind(HEAD)), write(kind(BODY)))
    assert both == [HEAD + BODY]


def test_a_head_alone_leaves_at_the_end_of_its_turn() -> None:
    assert told(write(HEAD)) == [HEAD]


def test_pieces_of_a_stream_are_never_held_back() -> None:
    pieces = told(*[write(piece) for piece in (HEAD, b"a", b"b", b"c")])
    assert pieces == [HEAD + b"a", b"b", b"c"]


def test_two_heads_in_one_turn_leave_in_their_order() -> None:
    assert told(write(HEAD), write(HEAD)) == [HEAD + HEAD]


def test_a_close_sends_the_head_that_waits_and_an_abort_does_not() -> None:
    assert told(write(HEAD), lambda it: it.close()) == [HEAD, "close"]
    assert told(write(HEAD), lambda it: it.abort()) == ["abort"]


def test_a_head_that_waits_counts_as_unsent() -> None:
    sizes: list[int] = []
    told(write(HEAD), lambda it: sizes.append(it.get_write_buffer_size()))
    assert sizes == [7 + len(HEAD)]
