"""Virtual keys: made once, shown once, kept as a hash, and known to every gateway in a second."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database, Row

PREFIX: Final = "tk-"
_RANDOM_BYTES: Final = 32
_HINT_LENGTH: Final = 4
_ID_BYTES: Final = 6
_LONGEST_NAME: Final = 100

Hash = bytes


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
    """

    id: str
    name: str
    project: str
    hint: str
    created: datetime
    revoked: datetime | None = None


def create(database: Database, name: str, project: str, *, now: datetime) -> tuple[str, Key]:
    """A new key: its text, which exists nowhere else from now on, and its record.

    Raises:
        BadInput: a name or a project is empty, too long, or has characters that do not print.
    """
    for what, text in (("name", name), ("project", project)):
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            raise BadInput(
                f"a key's {what} is {text!r}",
                remedy=f"Use 1 to {_LONGEST_NAME} printable characters.",
            )
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = Key(f"key_{secrets.token_hex(_ID_BYTES)}", name, project, text[-_HINT_LENGTH:], now)
    with database.transaction():
        database.execute(
            "INSERT INTO api_key (id, name, project, hash, hint, created_us)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key.id, name, project, hash_of(text.encode()), key.hint, microseconds(now)),
        )
    return text, key


def every_key(database: Database) -> list[Key]:
    """All keys, also the revoked ones, in the order of their creation."""
    return [key for _, key in _hashes_and_keys(database)]


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
    for key in every_key(database):
        if key.id == key_id:
            return key
    raise NotFound(f"there is no key {key_id!r}", remedy="`tokonomi keys list` shows them.")


def _hashes_and_keys(database: Database) -> list[tuple[Hash, Key]]:
    rows = database.execute(
        "SELECT hash, id, name, project, hint, created_us, revoked_us FROM api_key"
        " ORDER BY created_us, id"
    )
    return [
        (
            bytes(found),
            Key(key_id, name, project, hint, instant(created), revoked and instant(revoked)),
        )
        for found, key_id, name, project, hint, created, revoked in rows
    ]


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
        """Whether keys were made or revoked since the last look; if so, they are known now."""
        seen = self._database.execute(
            "SELECT count(*), max(created_us), count(revoked_us), max(revoked_us) FROM api_key"
        ).fetchone()
        if seen == self._seen:
            return False
        pairs = _hashes_and_keys(self._database)
        self._working = {found: key for found, key in pairs if key.revoked is None}
        self._seen = seen
        return True
