"""Which addresses are those of private networks and of this host, in all their forms."""

from ipaddress import ip_address

import pytest

from tokonomi.routing.private_address import is_private, is_public

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::",
    "2001:0:1::",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_private_network_or_of_this_host_is_none_of_the_internet(
    address: str,
) -> None:
    assert not is_public(ip_address(address))
    assert is_private(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_not_private(address: str) -> None:
    assert is_public(ip_address(address))
    assert not is_private(address)


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "localhost."])
def test_this_host_is_known_by_its_usual_name(name: str) -> None:
    assert is_private(name)


def test_a_name_is_not_private_before_it_is_resolved() -> None:
    assert not is_private("models.example")
