"""Who calls: the virtual key of a request, and whether its terms let the request in."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

from tokonomi.gateway.wire_errors import PERMISSION, WireError, invalid_key
from tokonomi.storage.keys import Address, Key, KeyRing, Network

_SCHEME = b"bearer "
_FORWARDED = b"x-forwarded-for"


def authenticate(headers: Mapping[bytes, bytes], keys: KeyRing) -> Key:
    """The working key that the request bears.

    Raises:
        WireError: 401, when there is none, or it is unknown or revoked.
    """
    bearer = headers.get(b"authorization", b"")
    if bearer[: len(_SCHEME)].lower() == _SCHEME:
        shown = bearer[len(_SCHEME) :].strip()
    else:
        # Anthropic's clients show their key like this.
        shown = headers.get(b"x-api-key", b"")
    key = keys.find(shown) if shown else None
    if key is None:
        raise invalid_key()
    return key


def admit(key: Key, scope: Mapping[str, Any], *, now: datetime, trusted: Sequence[Network]) -> None:
    """Returns when the key has not expired and may be used from where the request comes from.

    Raises:
        WireError: 403, with the reason.
    """
    terms = key.terms
    if terms.expires is not None and now >= terms.expires:
        raise WireError(
            403,
            "key_expired",
            f"The key {key.id} has expired at {terms.expires:%Y-%m-%dT%H:%M:%SZ}. Use another one,"
            " or change its date with `tokonomi keys limit`.",
            kind=PERMISSION,
        )
    if terms.networks:
        address = client_address(scope, trusted)
        if address is None or not terms.allows_address(address):
            raise WireError(
                403,
                "address_not_allowed",
                f"The key {key.id} may not be used from {address or 'an unknown address'}.",
                kind=PERMISSION,
            )


def allow_model(key: Key, alias: str) -> None:
    """Returns when the key may ask for a model.

    Raises:
        WireError: 403, with the models that it may ask for.
    """
    if not key.terms.allows_model(alias):
        raise WireError(
            403,
            "model_not_allowed",
            f"The key {key.id} may not ask for {alias[:200]!r}, but for"
            f" {', '.join(key.terms.models)}.",
            kind=PERMISSION,
            param="model",
        )


def client_address(scope: Mapping[str, Any], trusted: Sequence[Network]) -> Address | None:
    """Where a request comes from; None when that cannot be told.

    Proxies append to `X-Forwarded-For` whom they were called by, so it is read from its end: the
    first address that is no proxy of ours is the client. What stands before it anybody can write.
    """
    client = scope.get("client")
    address = _address(client[0]) if client else None
    for forwarded in _forwarded(scope["headers"]):
        if address is None or not any(address in network for network in trusted):
            return address
        address = _address(forwarded)
    return address


def _forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Iterator[str]:
    """The addresses of all such headers, the last first."""
    for name, value in reversed(headers):
        if name == _FORWARDED:
            yield from reversed(value.decode("latin-1").split(","))


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
