"""Calls to providers: a small port, and the client behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ConnectError,
    ConnectTimeoutError,
    DetailedPyreqwestError,
    PyreqwestError,
)
from pyreqwest.http import Url
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response, ResponseBodyReader

from tokonomi import __version__
from tokonomi.errors import BadConfig
from tokonomi.gateway.config import Provider

Headers = Sequence[tuple[bytes, bytes]]


class Unreachable(Exception):
    """No connection to the provider: it got nothing of the request."""


class Broken(Exception):
    """The connection failed after the request had left."""


class Reply(Protocol):
    """A provider's answer as it arrives."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields, with lower-case names."""
        ...

    async def piece(self) -> bytes:
        """The next bytes of the body as soon as they are there, empty at its proper end.

        Raises:
            Broken: the connection failed before the end.
        """
        ...

    async def close(self) -> None:
        """Lets go of the answer; what has not arrived is given up, and the connection with it."""
        ...


class Upstream(Protocol):
    """One provider, called over connections that are kept."""

    async def post(self, path: str, body: bytes) -> Reply:
        """The answer, as soon as its head is there.

        Raises:
            Unreachable: no connection came about.
            Broken: it failed before the head of the answer.
        """
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


@dataclass(slots=True)
class _Streamed:
    """An answer from the client library."""

    request: StreamRequest
    response: Response
    reader: ResponseBodyReader

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Headers:
        return [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in self.response.headers.items()
        ]

    async def piece(self) -> bytes:
        try:
            chunk = await self.reader.read_chunk()
        except PyreqwestError as error:
            raise Broken(_causes(error)) from None
        return b"" if chunk is None else chunk.to_bytes()

    async def close(self) -> None:
        await self.request.__aexit__(None, None, None)


class HttpUpstream:
    """A provider over HTTP/1.1, with or without TLS."""

    def __init__(self, provider: Provider, secret: str) -> None:
        self._client = _client(provider, secret)
        self._base_url = provider.base_url.rstrip("/")
        self._urls: dict[str, Url] = {}

    async def post(self, path: str, body: bytes) -> Reply:
        """The answer, as soon as its head is there; see `Upstream.post`."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = Url(self._base_url + path)
        request = self._client.post(url).body_bytes(body).streamed_read_buffer_limit(0)
        streamed = request.build_streamed()
        try:
            response = await streamed.__aenter__()
        except (ConnectError, ConnectTimeoutError) as error:
            raise Unreachable(_causes(error)) from None
        except PyreqwestError as error:
            raise Broken(_causes(error)) from None
        return _Streamed(streamed, response, response.body_reader)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()


def open_upstream(name: str, provider: Provider, secret: str) -> Upstream:
    """The provider, ready to be called.

    Raises:
        BadConfig: its certificates cannot be read.
    """
    try:
        return HttpUpstream(provider, secret)
    except (OSError, PyreqwestError) as error:
        raise BadConfig(f"providers.{name}: {error}", remedy="Check ca_file.") from error


def _client(provider: Provider, secret: str) -> Client:
    headers: Mapping[str, str] = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        **({"authorization": f"Bearer {secret}"} if secret else {}),
    }
    builder = (
        ClientBuilder()
        .user_agent(f"tokonomi/{__version__}")
        .default_headers(headers)
        .connect_timeout(timedelta(seconds=provider.timeouts.connect))
        .follow_redirects(enable=False)
        .referer(enable=False)
    )
    if provider.ca_file:
        builder = builder.add_root_certificate_pem(Path(provider.ca_file).read_bytes())
    return builder.build()


_MOST_CAUSES: Final = 3


def _causes(error: PyreqwestError) -> str:
    """What happened, from the outermost cause inward; addresses are in it, secrets are not."""
    causes: list[str] = []
    if isinstance(error, DetailedPyreqwestError):
        causes = [cause["message"] for cause in error.details["causes"] or []]
    return ": ".join(dict.fromkeys([error.message, *causes[:_MOST_CAUSES]]))
