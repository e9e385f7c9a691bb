"""Where a request comes from, as far as proxies of ours can tell."""

import pytest

from tokonomi.gateway.authenticate import client_address
from tokonomi.storage.keys import networks_from

PROXIES = networks_from(["10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("8.8.8.8", [], "8.8.8.8"),
        ("8.8.8.8", ["1.1.1.1"], "8.8.8.8"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("::ffff:10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["9.9.9.9, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
        ("10.0.0.1", ["9.9.9.9", "1.1.1.1, 2001:db8::7"], "1.1.1.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1, unknown"], None),
        ("10.0.0.1", ["9.9.9.9, 1.1.1.1:443"], None),
        ("10.0.0.1", ["2606:4700::1"], "2606:4700::1"),
        (None, ["1.1.1.1"], None),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    scope = {
        "client": None if peer is None else (peer, 1),
        "headers": [(b"x-forwarded-for", each.encode()) for each in forwarded],
    }
    found = client_address(scope, PROXIES)
    assert (None if found is None else str(found)) == expected


def test_without_proxies_of_ours_nobody_is_believed() -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}
    assert str(client_address(scope, ())) == "10.0.0.1"
