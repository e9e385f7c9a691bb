"""Addresses that strangers must not reach through us: of private networks and of this host."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

IpAddress = IPv4Address | IPv6Address

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


def is_private(host: str) -> bool:
    """Whether a host is one of these, as far as can be told without resolving its name.

    >>> is_private("LocalHost"), is_private("10.0.0.1"), is_private("api.openai.com")
    (True, True, False)
    """
    literal = literal_of(host)
    if literal is None:
        return host.lower().removesuffix(".") == "localhost"
    return not is_public(literal)


def literal_of(host: str) -> IpAddress | None:
    """The address that a host is written as, or None when it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the public internet.

    >>> is_public(ip_address("169.254.169.254")), is_public(ip_address("::ffff:10.0.0.1"))
    (False, False)
    """
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    return address.is_global and not any(address in network for network in _CLOSED_NETWORKS)


def _carried(address: IpAddress) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    for network, behind in _CARRIES_IPV4:
        if address in network:
            return IPv4Address(int(address) >> behind & 0xFFFF_FFFF)
    return None
