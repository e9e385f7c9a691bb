"""Connections to addresses that somebody configured: resolved once, checked, and connected to.

A name may resolve to a machine that strangers must not reach through us: this host, its network,
the metadata service of its cloud. So a name is resolved here, what it resolves to is checked, and
the connection goes to that very address. A second answer of the name's server changes nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from tokonomi.routing.private_address import is_public, literal_of

P = TypeVar("P", bound=asyncio.Protocol)


class PrivateAddress(OSError):
    """A name leads to an address that may not be called."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where connections go.

    Attributes:
        host: a name or an address.
        port: the port.
        tls: how TLS is spoken, None for none.
        server_name: the name that the certificate must have, when it is not the host's.
        allow_private: whether the address may be one of a private network or of this host.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    allow_private: bool = False

    async def connect(self, protocol: Callable[[], P]) -> P:
        """A connection to the first address that takes one, of those that may be called.

        Raises:
            PrivateAddress: the name leads to no address that may be called; nothing was sent.
            OSError: it cannot be resolved, or no address takes a connection.
        """
        loop = asyncio.get_running_loop()
        name = (self.server_name or self.host) if self.tls is not None else None
        failure: OSError | None = None
        for address in await self._addresses():
            try:
                _, made = await loop.create_connection(
                    protocol, address, self.port, ssl=self.tls, server_hostname=name
                )
            except OSError as error:
                failure = error
            else:
                return made
        raise failure or OSError(f"{self.host} has no address")

    async def _addresses(self) -> list[str]:
        if (literal := literal_of(self.host)) is not None:
            found = [str(literal)]
        else:
            found = await self._resolved()
        if self.allow_private:
            return found
        public = [address for address in found if is_public(ip_address(address))]
        if not public:
            raise PrivateAddress(
                f"{self.host} is an address of a private network or of this host, which is called"
                " only with allow_private = true"
            )
        return public

    async def _resolved(self) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError(f"{self.host!r} is no name of a host: {error}") from None
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
