"""Whom a configured name may lead to, and that what was checked is what is connected to."""

import asyncio
import socket
from typing import Any

import pytest

from tokonomi.gateway.connect import Endpoint, PrivateAddress


class Names(asyncio.SelectorEventLoop):
    """An event loop that answers for names, differently each time, and keeps who is called."""

    def __init__(self, *answers: list[str], closed: str = "") -> None:
        super().__init__()
        self.closed = {closed}
        self.answers = list(answers)
        self.called: list[tuple[str, str | None]] = []

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        assert host
        found = self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **kw: Any
    ) -> Any:
        assert port == 80
        self.called.append((host, kw["server_hostname"]))
        if host in self.closed:
            raise ConnectionRefusedError(111, "refused")
        return None, protocol_factory()


def connected(loop: Names, endpoint: Endpoint) -> asyncio.Protocol:
    try:
        return loop.run_until_complete(endpoint.connect(asyncio.Protocol))
    finally:
        loop.close()


def test_an_address_of_this_host_is_not_called() -> None:
    loop = Names()
    with pytest.raises(PrivateAddress, match="allow_private"):
        connected(loop, Endpoint("127.0.0.1", 80))
    assert loop.called == []


def test_a_name_that_leads_to_a_private_address_is_not_called() -> None:
    loop = Names(["127.0.0.1", "10.0.0.1"])
    with pytest.raises(PrivateAddress, match="allow_private"):
        connected(loop, Endpoint("rebinding.example", 80))
    assert loop.called == []


def test_a_name_is_resolved_once_and_what_was_checked_is_called() -> None:
    loop = Names(["10.0.0.1", "8.8.8.8"], ["127.0.0.1"])
    assert isinstance(connected(loop, Endpoint("rebinding.example", 80)), asyncio.Protocol)
    assert loop.called == [("8.8.8.8", None)]


def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    loop = Names(["8.8.8.8", "8.8.4.4"], closed="8.8.8.8")
    connected(loop, Endpoint("two.example", 80))
    assert [host for host, _ in loop.called] == ["8.8.8.8", "8.8.4.4"]


def test_numbers_that_are_addresses_in_disguise_are_found_out_when_they_are_resolved() -> None:
    async def through() -> None:
        for host in ("2130706433", "0x7f.1", "127.1"):
            with pytest.raises(PrivateAddress):
                await Endpoint(host, 80).connect(asyncio.Protocol)

    asyncio.run(through())
