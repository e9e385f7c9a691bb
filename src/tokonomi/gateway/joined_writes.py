"""A connection that sends the head of an answer together with what follows it.

The server writes a head and a body one after the other. Each is a call of the system and wakes the
client, who cannot do anything with a head alone.
"""

import asyncio
from typing import Any, Final

_HEAD: Final = b"HTTP/1.1 "


class JoinedWrites(asyncio.Transport):
    """A transport that holds a head back until the next write, or this turn of the loop is over."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._soon = asyncio.get_running_loop().call_soon
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes, behind a head that waits."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data[: len(_HEAD)] == _HEAD:
            self._head = bytes(data)
            self._soon(self._send_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Closes the connection when all is sent."""
        self._send_head()
        self._transport.close()

    def abort(self) -> None:
        """Closes the connection at once."""
        self._head = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the client."""
        return self._transport.get_write_buffer_size() + len(self._head)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Takes nothing more from the client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Takes what the client sends again."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hands the connection to another protocol."""
        self._transport.set_protocol(protocol)

    def _send_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
