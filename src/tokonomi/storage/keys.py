"""Virtual keys: made once, shown once, kept as a hash, and known to every gateway in a second."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Final

import msgspec
from msgspec.structs import asdict

from tokonomi.budgets.rate_limit import MOST, UNLIMITED, RateLimits
from tokonomi.calls import LONGEST_VALUE, MOST_TAGS, TAG_PREFIX
from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database, Row
from tokonomi.storage.rate_limits import limits_of_keys, set_limits

PREFIX: Final = "tk-"
DEFAULT_PROJECT: Final = "default"
"""Whose calls a key makes when nobody says whose."""
_RANDOM_BYTES: Final = 32
_HINT_LENGTH: Final = 4
_ID_BYTES: Final = 6
_LONGEST_NAME: Final = 100

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_bound: Final = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode

Hash = bytes
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds a key, beside budgets. The default binds nothing.

    Attributes:
        expires: instant from which it is refused, in UTC.
        networks: where its requests may come from.
        models: aliases that it may ask for; one that ends with `*` allows all that begin so.
        limits: how fast it may go.
        bound: the dimensions that all its calls have, `user`, `feature` or `tag:NAME`, with their
            values, in the order of the names.
    """

    expires: datetime | None = None
    networks: tuple[Network, ...] = ()
    models: tuple[str, ...] = ()
    limits: RateLimits = UNLIMITED
    bound: tuple[tuple[str, str], ...] = ()

    @property
    def bound_tags(self) -> dict[str, str]:
        """The tags among what it is bound to, by their own names."""
        return {
            name.removeprefix(TAG_PREFIX): value
            for name, value in self.bound
            if name.startswith(TAG_PREFIX)
        }

    def allows_model(self, alias: str) -> bool:
        """Whether the key may ask for an alias.

        >>> Terms(models=("gpt-4o-mini", "local/*")).allows_model("local/smollm2")
        True
        """
        return not self.models or any(
            alias == each or (each.endswith("*") and alias.startswith(each[:-1]))
            for each in self.models
        )

    def allows_address(self, address: Address) -> bool:
        """Whether the key's requests may come from an address."""
        return not self.networks or any(address in network for network in self.networks)


FREE: Final = Terms()


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key: everything but the key.

    Attributes:
        id: what calls and commands name it by.
        name: what a person calls it.
        project: whose calls it makes.
        hint: its last four characters.
        created: instant, in UTC.
        revoked: instant, in UTC; `None` while it works.
        terms: what binds it.
    """

    id: str
    name: str
    project: str
    hint: str
    created: datetime
    revoked: datetime | None = None
    terms: Terms = FREE


def create(
    database: Database, name: str, project: str, *, now: datetime, terms: Terms = FREE
) -> tuple[str, Key]:
    """A new key: its text, which exists nowhere else from now on, and its record.

    Raises:
        BadInput: a name or a project is empty, too long, or has characters that do not print; or
            the terms cannot be kept, or are over already.
    """
    for what, text in (("name", name), ("project", project)):
        _check_text(f"a key's {what}", text)
    check_terms(terms)
    _check_expiry(terms, now)
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key_id = f"key_{secrets.token_hex(_ID_BYTES)}"
    key = Key(key_id, name, project, text[-_HINT_LENGTH:], now, terms=terms)
    with database.transaction():
        database.execute(
            "INSERT INTO api_key (id, name, project, hash, hint, created_us)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key.id, name, project, hash_of(text.encode()), key.hint, microseconds(now)),
        )
        if terms != FREE:
            _write_terms(database, key.id, terms)
    return text, key


def every_key(database: Database) -> list[Key]:
    """All keys, also the revoked ones, in the order of their creation."""
    return [key for _, key in _hashes_and_keys(database)]


def get(database: Database, key_id: str) -> Key:
    """The key with this id.

    Raises:
        NotFound: there is none.
    """
    for key in every_key(database):
        if key.id == key_id:
            return key
    raise NotFound(f"there is no key {key_id!r}", remedy="`tokonomi keys list` shows them.")


def revoke(database: Database, key_id: str, *, now: datetime) -> Key:
    """The key, revoked now, or at the earlier time when it already was.

    Raises:
        NotFound: there is no key with this id.
    """
    with database.transaction():
        database.execute(
            "UPDATE api_key SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL",
            (microseconds(now), key_id),
        )
    return get(database, key_id)


def change_terms(
    database: Database, key_id: str, changed: Callable[[Terms], Terms], *, now: datetime
) -> Key:
    """The key with its terms changed; what it has taken of a limit stays taken.

    Raises:
        NotFound: there is no key with this id.
        BadInput: the new terms cannot be kept, or would be over already; nothing was changed.
    """
    with database.transaction():
        key = get(database, key_id)
        terms = changed(key.terms)
        check_terms(terms)
        if terms.expires != key.terms.expires:
            _check_expiry(terms, now)
        _write_terms(database, key_id, terms)
    return replace(key, terms=terms)


def check_terms(terms: Terms) -> None:
    """Returns when terms can be kept.

    Raises:
        BadInput: a limit is not from 1 to a thousand million, a model's name is none, or a
            dimension cannot be bound to its value.
    """
    for kind, most in asdict(terms.limits).items():
        if most is not None and not 1 <= most <= MOST:
            raise BadInput(
                f"the limit of {kind} is {most}",
                remedy=f"Use 1 to {MOST}, or leave it out for no limit.",
            )
    for alias in terms.models:
        _check_text("a model", alias)
    _check_bound(terms)


def bound_to(
    *, user: str = "", feature: str = "", tags: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """What a key is bound to, for its terms; empty texts bind nothing.

    >>> bound_to(user="ani", tags={"plan": "pro"})
    (('tag:plan', 'pro'), ('user', 'ani'))
    """
    named = {"user": user, "feature": feature}
    stated = {name: value for name, value in named.items() if value}
    stated |= {f"{TAG_PREFIX}{name}": value for name, value in tags.items()}
    return tuple(sorted(stated.items()))


def networks_from(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that texts name, such as `10.0.0.0/8`, `2001:db8::/32` or a single address.

    Raises:
        BadInput: one of them is no network.
    """
    try:
        return tuple(ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise BadInput(
            f"a network cannot be read: {error}",
            remedy="Write it like 10.0.0.0/8 or 2001:db8::/32.",
        ) from None


def _check_bound(terms: Terms) -> None:
    """Bound values are those that a header could say: what cannot be said cannot be agreed to."""
    for name, value in terms.bound:
        if not value or not _is_plain(value):
            raise BadInput(
                f"a key cannot be bound to {name} {value!r}",
                remedy=f"Use 1 to {LONGEST_VALUE} printable characters without spaces around them.",
            )
    tags = terms.bound_tags
    for name, value in tags.items():
        pair = f"{name}={value}"
        if not name or "=" in name or "," in pair or not _is_plain(name) or not _is_plain(pair):
            raise BadInput(
                f"a key cannot be bound to the tag {pair!r}",
                remedy=f"Write NAME=VALUE without commas, at most {LONGEST_VALUE} characters.",
            )
    if len(tags) > MOST_TAGS:
        raise BadInput(
            f"the key would be bound to {len(tags)} tags", remedy=f"A call has at most {MOST_TAGS}."
        )


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST_VALUE and text.isprintable() and text == text.strip()


def _check_expiry(terms: Terms, now: datetime) -> None:
    if terms.expires is not None and terms.expires <= now:
        raise BadInput(
            f"the key would be refused from {terms.expires.isoformat()} on,"
            f" and it is {now.isoformat(timespec='seconds')}",
            remedy="Choose a later instant, or leave it out; `tokonomi keys revoke` ends a key.",
        )


def _check_text(what: str, text: str) -> None:
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise BadInput(
            f"{what} is {text!r}", remedy=f"Use 1 to {_LONGEST_NAME} printable characters."
        )


def _write_terms(database: Database, key_id: str, terms: Terms) -> None:
    database.execute(
        "UPDATE api_key SET expires_us = ?, networks = ?, models = ?, bound = ?,"
        " changes = changes + 1 WHERE id = ?",
        (
            None if terms.expires is None else microseconds(terms.expires),
            ",".join(map(str, terms.networks)),
            _encode(terms.models).decode(),
            _encode(terms.bound).decode(),
            key_id,
        ),
    )
    set_limits(database, key_id, terms.limits)


def _hashes_and_keys(database: Database) -> list[tuple[Hash, Key]]:
    limits = limits_of_keys(database)
    rows = database.execute(
        "SELECT hash, id, name, project, hint, created_us, revoked_us, expires_us, networks,"
        " models, bound FROM api_key ORDER BY created_us, id"
    )
    return [
        (
            bytes(found),
            Key(
                key_id,
                name,
                project,
                hint,
                instant(created),
                None if revoked is None else instant(revoked),
                _terms(*terms, limits=limits.get(key_id, UNLIMITED)),
            ),
        )
        for found, key_id, name, project, hint, created, revoked, *terms in rows
    ]


def _terms(
    expires_us: int | None, networks: str, models: str, bound: str, *, limits: RateLimits
) -> Terms:
    return Terms(
        expires=None if expires_us is None else instant(expires_us),
        networks=networks_from(networks.split(",")) if networks else (),
        models=_decode(models),
        limits=limits,
        bound=_decode_bound(bound),
    )


def hash_of(text: bytes) -> Hash:
    """What is stored of a key. One SHA-256 is enough for 256 random bits; guessing is hopeless."""
    return hashlib.sha256(text).digest()


class KeyRing:
    """The keys that work now, in memory, for a gateway that asks once a request.

    `refresh` may run in another thread than `find`: the map is replaced, never changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Row | None = None
        self._working: dict[Hash, Key] = {}
        self.refresh()

    def find(self, text: bytes) -> Key | None:
        """The working key with this text."""
        return self._working.get(hash_of(text))

    def refresh(self) -> bool:
        """Whether keys were made, changed or revoked since the last look; they are known now."""
        seen = self._database.execute(
            "SELECT count(*), max(created_us), count(revoked_us), max(revoked_us), sum(changes)"
            " FROM api_key"
        ).fetchone()
        if seen == self._seen:
            return False
        pairs = _hashes_and_keys(self._database)
        self._working = {found: key for found, key in pairs if key.revoked is None}
        self._seen = seen
        return True
