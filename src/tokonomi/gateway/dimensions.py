"""What a call is grouped by: what the client says in headers, and what we know of the key."""

from typing import Final

from tokonomi.calls import LONGEST_VALUE, MOST_TAGS, Dimensions
from tokonomi.gateway.wire_errors import WireError
from tokonomi.storage.keys import Key

_LONGEST_TAGS: Final = 2_048


def dimensions_of(headers: dict[bytes, bytes], key: Key, *, alias: str, user: str) -> Dimensions:
    """The dimensions of a request; who is called is each attempt's own.

    `x-tokonomi-feature`, `-user` and `-session` are at most 256 characters, `-tags` is
    `name=value` pairs with commas between them, at most 16. Without `-user` the body's `user`
    stands.

    Raises:
        WireError: 400, when a header is too long, does not print, or is no list of tags.
    """
    return Dimensions(
        project=key.project,
        feature=_text(headers, b"x-tokonomi-feature"),
        user=_text(headers, b"x-tokonomi-user") or user[:LONGEST_VALUE],
        session=_text(headers, b"x-tokonomi-session"),
        key_id=key.id,
        alias=alias,
        tags=_tags(headers) if b"x-tokonomi-tags" in headers else (),
    )


def _text(headers: dict[bytes, bytes], name: bytes, longest: int = LONGEST_VALUE) -> str:
    raw = headers.get(name)
    if not raw:
        return ""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _bad(name, "is not UTF-8") from None
    if len(text) > longest:
        raise _bad(name, f"has {len(text)} characters; at most {longest} are kept")
    if not text.isprintable():
        raise _bad(name, "has characters that do not print")
    return text


def _tags(headers: dict[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    name = b"x-tokonomi-tags"
    tags: dict[str, str] = {}
    for pair in _text(headers, name, _LONGEST_TAGS).split(","):
        tag, equals, value = pair.strip().partition("=")
        if not tag or not equals or len(pair) > LONGEST_VALUE:
            raise _bad(name, f'has {pair.strip()[:40]!r}; write "name=value,name=value"')
        tags[tag.strip()] = value.strip()
    if len(tags) > MOST_TAGS:
        raise _bad(name, f"has {len(tags)} tags; at most {MOST_TAGS} are kept")
    return tuple(sorted(tags.items()))


def _bad(name: bytes, what: str) -> WireError:
    return WireError(
        400,
        "invalid_header",
        f"The header {name.decode()} {what}. Correct it or leave it out.",
        param=name.decode(),
    )
