"""The client's side of a request: nothing goes out before the answer's first content."""

from collections.abc import Awaitable

from tokonomi.gateway.answer import HeaderList, Send, send_body


class Delivery:
    """An answer on its way to the client.

    The commit point is the first content of an answer: before it another target may still answer
    in place of this one, so what comes until then is kept back; after it the answer is this one.
    """

    __slots__ = ("_head", "_send", "_waiting", "committed")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: tuple[int, HeaderList] | None = None
        self._waiting = b""
        self.committed = False
        """Whether anything has gone out."""

    @property
    def kept_back(self) -> bytes:
        """What has come of a stream and not gone out."""
        return self._waiting

    def begin(self, status: int, headers: HeaderList) -> None:
        """The head of a streamed answer; it goes out with the first content."""
        if not self.committed:
            self._head, self._waiting = (status, headers), b""

    async def write(self, data: bytes, *, content: bool) -> None:
        """Passes a piece of a stream on, or keeps it back while there was no content."""
        if not self.committed:
            if not content:
                self._waiting += data
                return
            data = await self._commit(data)
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        """The last piece of a stream."""
        if not self.committed:
            data = await self._commit(data)
        await self._send({"type": "http.response.body", "body": data})

    def whole(self, status: int, headers: HeaderList, body: bytes) -> Awaitable[None]:
        """An answer that came at once."""
        self.committed = True
        return send_body(self._send, status, headers, body)

    async def _commit(self, data: bytes) -> bytes:
        assert self._head is not None, "a stream begins with its head"
        status, headers = self._head
        self.committed = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        return self._waiting + data
