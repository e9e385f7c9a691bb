"""One request and its answer, as the server runs them: the head goes out with the body.

The server's own class writes a head and a body one after the other. Each is a call of the system
and wakes the client, who cannot do anything with a head alone. ASGI asks servers to wait with it
until there is a body. What an answer may consist of is the same as there.
"""

from collections.abc import Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from tokonomi.gateway.answer import HeaderList

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS: Final = (204, 304)


class Cycle(RequestResponseCycle):
    """A request whose answer's head waits for the first part of its body."""

    _head = b""
    """The head of the answer while it waits for the body."""

    async def send(self, message: Mapping[str, Any]) -> None:
        """Takes a part of the answer; returns when the client can take it.

        Raises:
            RuntimeError: it is none, or not in its place.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} is no part of an answer, or not in its place")

    def _begin(self, status: int, fields: HeaderList) -> None:
        """Notes the head of the answer."""
        self.response_started, self.waiting_for_100_continue = True, False
        fields = [*self.default_headers, *fields]
        _check(fields)
        lines, says_close = [STATUS_LINE[status]], False
        for given, value in fields:
            name = given.lower()
            if name in _FRAMING and self._closes(name, value):
                says_close = True
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and status not in _BODILESS and not self._is_head:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def _closes(self, name: bytes, value: bytes) -> bool:
        """Whether a field of framing says that the connection ends with this answer."""
        if name == b"content-length":
            if self.chunked_encoding is None:
                self.chunked_encoding, self.expected_content_length = False, int(value)
        elif name == b"transfer-encoding":
            if value.lower() == b"chunked":
                self.chunked_encoding, self.expected_content_length = True, 0
        elif b"close" in [token.lower().strip() for token in value.split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _go_on(self, body: bytes, *, more: bool) -> None:
        """Writes a part of the body, behind the head if that still waits; the last one ends it."""
        head, self._head = self._head, b""
        if self._is_head:
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = chunk if more else chunk + b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the body is longer than its content-length")
        self.transport.write(head + body if head else body)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("the body is shorter than its content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    @property
    def _is_head(self) -> bool:
        return self.scope["method"] == "HEAD"


def _check(fields: HeaderList) -> None:
    """Returns when no field can end its line, or the head.

    Raises:
        RuntimeError: one can; nothing of the answer has gone out.
    """
    if fields:
        names, values = zip(*fields, strict=True)
        if HEADER_RE.search(b"".join(names)) or HEADER_VALUE_RE.search(b"".join(values)):
            raise RuntimeError("a field of the head has characters that no field can carry")
