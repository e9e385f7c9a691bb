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
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeVar

from tokonomi.errors import BadConfig

Address = IPv4Address | IPv6Address
P = TypeVar("P", bound=asyncio.Protocol)

_CLOSED_NETWORKS: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own, and the metadata of a cloud
        "127.0.0.0/8",  # this host
        "168.63.129.16/32",  # the platform of Azure, under a public address
        "169.254.0.0/16",  # this link, with the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols, and the metadata of a cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays that are out of use
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # measurements
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "::/96",  # unspecified, this host, and old forms of IPv4
        "64:ff9b:1::/48",  # translation inside a network
        "100::/64",  # nothing
        "2001::/23",  # protocols, with tunnels that carry IPv4
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "5f00::/16",  # routing
        "fc00::/7",  # private, with the metadata of a cloud
        "fe80::/10",  # this link
        "fec0::/10",  # this site
        "ff00::/8",  # multicast
    )
)
"""After the registries of special addresses of IANA, and what clouds add."""
_CARRIES_IPV4: Final = ((ip_network("64:ff9b::/96"), 0), (ip_network("2002::/16"), 80))
"""Networks whose addresses hold one of IPv4, and how many bits stand after it."""


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
        if (literal := _literal(self.host)) is not None:
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


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet.

    >>> is_public(ip_address("169.254.169.254")), is_public(ip_address("::ffff:10.0.0.1"))
    (False, False)
    """
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    return address.is_global and not any(address in network for network in _CLOSED_NETWORKS)


def refuse_private(where: str, host: str, *, allow_private: bool) -> None:
    """Returns when a host may be called as far as can be told without resolving it.

    Raises:
        BadConfig: it is an address that may not be, or this host by its usual name.
    """
    literal = _literal(host)
    closed = host.lower() == "localhost" or (literal is not None and not is_public(literal))
    if closed and not allow_private:
        raise BadConfig(
            f"{where}: {host} is an address of a private network or of this host",
            remedy="Set allow_private = true there if it is yours, such as a local model.",
        )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _carried(address: Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    for network, behind in _CARRIES_IPV4:
        if address in network:
            return IPv4Address(int(address) >> behind & 0xFFFF_FFFF)
    return None
