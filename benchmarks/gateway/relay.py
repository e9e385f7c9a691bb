"""A relay that passes bytes on and does nothing else: what the machine itself costs a gateway.

It reads no HTTP, keeps nothing and has no store, so no gateway in Python on the same two cores can
add less. `python relay.py PORT PROVIDER_PORT`; one connection to the provider for each client.
"""

import asyncio
import sys
from typing import cast

import uvloop


class Provider(asyncio.Protocol):
    """The side of the provider: its bytes go to the client."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        """Passes a piece of the answer on."""
        self._client.write(data)

    def connection_lost(self, _error: Exception | None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # the loop calls it by place
        """Ends the connection to the client with that of the provider."""
        self._client.close()


class Client(asyncio.Protocol):
    """The side of a client: its bytes go to the provider, once that is connected."""

    def __init__(self, provider_port: int) -> None:
        self._provider_port = provider_port
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connects to the provider for this client."""
        self._own = cast("asyncio.WriteTransport", transport)
        self._provider: asyncio.WriteTransport | None = None
        self._connecting = asyncio.ensure_future(self._connect())

    def data_received(self, data: bytes) -> None:
        """Passes a piece of a request on."""
        if self._provider is None:
            self._early += data
        else:
            self._provider.write(data)

    def connection_lost(self, _error: Exception | None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # the loop calls it by place
        """Ends the connection to the provider with that of the client."""
        if self._provider is not None:
            self._provider.close()

    def write(self, data: bytes) -> None:
        """Sends to the client."""
        self._own.write(data)

    def close(self) -> None:
        """Ends the connection to the client."""
        self._own.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._provider, _ = await loop.create_connection(
            lambda: Provider(self), "127.0.0.1", self._provider_port
        )
        self._provider.write(self._early)


async def main(port: int, provider_port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(provider_port), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
