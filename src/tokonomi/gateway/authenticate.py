"""Who calls: the virtual key of a request."""

from tokonomi.gateway.wire_errors import invalid_key
from tokonomi.storage.keys import Key, KeyRing

_SCHEME = b"bearer "


def authenticate(headers: dict[bytes, bytes], keys: KeyRing) -> Key:
    """The working key that the request bears.

    Raises:
        WireError: 401, when there is none, or it is unknown or revoked.
    """
    bearer = headers.get(b"authorization", b"")
    if bearer[: len(_SCHEME)].lower() != _SCHEME:
        raise invalid_key()
    key = keys.find(bearer[len(_SCHEME) :].strip())
    if key is None:
        raise invalid_key()
    return key
