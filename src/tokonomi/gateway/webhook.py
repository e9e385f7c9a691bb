"""One event on its way to the operator's webhook: what it says, and how to know who sent it."""

import asyncio
import hashlib
import hmac
import ssl
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tokonomi import __version__
from tokonomi.gateway.connect import Endpoint
from tokonomi.gateway.http_client import PORTS, Connection
from tokonomi.gateway.upstream import Broken
from tokonomi.storage.event_store import StoredEvent

TIMEOUT_SECONDS: Final = 10.0
"""For all of it, from the connection to the head of the answer; far less than a teller's lease."""
_TAKEN: Final = range(200, 300)
_encode: Final = msgspec.json.Encoder().encode


class Webhook:
    """Where events are sent, with the secret that signs them."""

    def __init__(self, url: str, secret: str, *, allow_private: bool = False) -> None:
        """`url` is http or https, as the configuration has checked.

        With `allow_private` it may lead to a private network or to this host.
        """
        address = urlsplit(url)
        assert address.hostname, "the configuration was checked"
        self._endpoint = Endpoint(
            address.hostname,
            address.port or PORTS[address.scheme],
            ssl.create_default_context() if address.scheme == "https" else None,
            allow_private=allow_private,
        )
        self._line = f"{address.path or '/'}{f'?{address.query}' if address.query else ''}"
        self._netloc = address.netloc
        self._secret = secret.encode()

    async def post(self, event: StoredEvent) -> str:
        """Why the receiver did not take an event; empty when it did."""
        body = body_of(event)
        signed = signature(self._secret, body, at=datetime.now(UTC))
        fields = {
            "host": self._netloc,
            "user-agent": f"tokonomi/{__version__}",
            "content-type": "application/json",
            "x-tokonomi-event": event.id,
            "x-tokonomi-signature": signed,
            "connection": "close",
            "content-length": str(len(body)),
        }
        lines = [f"POST {self._line} HTTP/1.1", *map(": ".join, fields.items()), "", ""]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status = await self._exchange("\r\n".join(lines).encode("ascii"), body)
        except TimeoutError:
            return f"no answer within {TIMEOUT_SECONDS:g} s"
        except (OSError, UnicodeError, Broken) as error:
            return str(error) or type(error).__name__
        return "" if status in _TAKEN else f"HTTP {status}"

    async def _exchange(self, head: bytes, body: bytes) -> int:
        """The status of the answer; a redirect is one like any other, and is not followed."""
        connection = await self._endpoint.connect(Connection)
        try:
            await connection.exchange(head, body)
        finally:
            connection.abort()
        return connection.status


def body_of(event: StoredEvent) -> bytes:
    """The JSON object that tells an event; it is the same in every attempt."""
    told = event.event
    return _encode(
        {
            "id": event.id,
            "event": told.name,
            "about": told.about,
            "subject": told.subject,
            "text": told.text,
            "at": event.at,
        }
    )


def signature(secret: bytes, body: bytes, *, at: datetime) -> str:
    """The header that proves who sent a body, and when: HMAC-SHA256 of `SECONDS.BODY`.

    >>> signature(b"secret", b"{}", at=datetime(2026, 1, 30, tzinfo=UTC))[:32]
    't=1769731200,v1=5eee545e8959683a'
    """
    seconds = int(at.timestamp())
    digest = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"
