"""What a call is grouped by: what the client says in headers, and what we know of the key."""

from typing import Final

from msgspec.structs import replace

from tokonomi.calls import LONGEST_VALUE, MOST_TAGS, TAG_PREFIX, Dimensions
from tokonomi.gateway.wire_errors import PERMISSION, WireError
from tokonomi.storage.keys import Key

_TAGS: Final = b"x-tokonomi-tags"
_LONGEST_TAGS: Final = 2_048


def dimensions_of(headers: dict[bytes, bytes], key: Key, *, alias: str, user: str) -> Dimensions:
    """The dimensions of a request; who is called is each attempt's own.

    `x-tokonomi-feature`, `-user` and `-session` are at most 256 characters, `-tags` is
    `name=value` pairs with commas between them, at most 16. Without `-user` the body's `user`
    stands. What the key is bound to stands whatever is said.

    Raises:
        WireError: 400, when a header is too long, does not print, or is no list of tags; 403, when
            one says something else than what the key is bound to, or the body does.
    """
    said = Dimensions(
        project=key.project,
        feature=_text(headers, b"x-tokonomi-feature"),
        user=_text(headers, b"x-tokonomi-user") or user[:LONGEST_VALUE],
        session=_text(headers, b"x-tokonomi-session"),
        key_id=key.id,
        alias=alias,
        tags=_tags(headers) if _TAGS in headers else (),
    )
    return _bound(said, key, body_user=user) if key.terms.bound else said


def refuse_other_user(key_id: str, bound: str, body_user: str) -> None:
    """Returns when a body names no user, or the one that its key is bound to; empty binds nothing.

    Raises:
        WireError: 403, when it names another one.
    """
    if bound and body_user not in ("", bound):
        raise _bound_otherwise(key_id, "user", bound, body_user, param="user")


def bound_user(key: Key) -> str:
    """The user that a key is bound to; empty when it is bound to none."""
    return dict(key.terms.bound).get("user", "")


def _bound(said: Dimensions, key: Key, *, body_user: str) -> Dimensions:
    """What was said, with what the key is bound to in it."""
    bound = dict(key.terms.bound)
    # The body first, since a header hides what it says.
    refuse_other_user(key.id, bound.get("user", ""), body_user)
    for name, value in bound.items():
        other = said.named(name)
        if other not in ("", value):
            header = _TAGS.decode() if name.startswith(TAG_PREFIX) else f"x-tokonomi-{name}"
            raise _bound_otherwise(key.id, name, value, other, param=header)
    of_key = key.terms.bound_tags
    tags = dict(said.tags) | of_key
    if len(tags) > MOST_TAGS:
        raise _bad(
            _TAGS,
            f"has {len(tags) - len(of_key)} tags besides the {len(of_key)} of the key;"
            f" at most {MOST_TAGS} are kept",
        )
    return replace(
        said,
        user=bound.get("user", said.user),
        feature=bound.get("feature", said.feature),
        tags=tuple(sorted(tags.items())),
    )


def _bound_otherwise(key_id: str, name: str, value: str, other: str, *, param: str) -> WireError:
    return WireError(
        403,
        "bound_otherwise",
        f"The key {key_id} is bound to {name} {value!r}, and {param} of this request says"
        f" {other[:LONGEST_VALUE]!r}. Leave {param} out, or use another key.",
        kind=PERMISSION,
        param=param,
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
    tags: dict[str, str] = {}
    for pair in _text(headers, _TAGS, _LONGEST_TAGS).split(","):
        tag, equals, value = pair.strip().partition("=")
        if not tag or not equals or len(pair) > LONGEST_VALUE:
            raise _bad(_TAGS, f'has {pair.strip()[:40]!r}; write "name=value,name=value"')
        tags[tag.strip()] = value.strip()
    if len(tags) > MOST_TAGS:
        raise _bad(_TAGS, f"has {len(tags)} tags; at most {MOST_TAGS} are kept")
    return tuple(sorted(tags.items()))


def _bad(name: bytes, what: str) -> WireError:
    return WireError(
        400,
        "invalid_header",
        f"The header {name.decode()} {what}. Correct it or leave it out.",
        param=name.decode(),
    )
