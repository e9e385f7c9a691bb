"""Tokens of the admin API: made once, shown once, and kept as a hash, as virtual keys are."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database
from tokonomi.storage.keys import hash_of

PREFIX: Final = "tka-"
_RANDOM_BYTES: Final = 32
_HINT_LENGTH: Final = 4
_ID_BYTES: Final = 6
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class AdminToken:
    """What is known of a token: everything but the token. Instants are in UTC."""

    id: str
    name: str
    hint: str
    created: datetime
    revoked: datetime | None = None


def create(database: Database, name: str, *, now: datetime) -> tuple[str, AdminToken]:
    """A new token: its text, which exists nowhere else from now on, and its record.

    Raises:
        BadInput: the name is empty, too long, or has characters that do not print.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadInput(
            f"a token's name is {name!r}", remedy=f"Use 1 to {_LONGEST_NAME} printable characters."
        )
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    token = AdminToken(f"adm_{secrets.token_hex(_ID_BYTES)}", name, text[-_HINT_LENGTH:], now)
    with database.transaction():
        database.execute(
            "INSERT INTO admin_token (id, name, hash, hint, created_us) VALUES (?, ?, ?, ?, ?)",
            (token.id, name, hash_of(text.encode()), token.hint, microseconds(now)),
        )
    return text, token


def every_token(database: Database) -> list[AdminToken]:
    """All tokens, also the revoked ones, in the order of their creation."""
    rows = database.execute(
        "SELECT id, name, hint, created_us, revoked_us FROM admin_token ORDER BY created_us, id"
    )
    return [
        AdminToken(token_id, name, hint, instant(created), revoked and instant(revoked))
        for token_id, name, hint, created, revoked in rows
    ]


def revoke(database: Database, token_id: str, *, now: datetime) -> AdminToken:
    """The token, revoked now, or at the earlier time when it already was.

    Raises:
        NotFound: there is no token with this id.
    """
    with database.transaction():
        database.execute(
            "UPDATE admin_token SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL",
            (microseconds(now), token_id),
        )
    for token in every_token(database):
        if token.id == token_id:
            return token
    raise NotFound(
        f"there is no admin token {token_id!r}", remedy="`tokonomi admin token list` shows them."
    )


def works(database: Database, text: str) -> bool:
    """Whether this is the text of a token that is not revoked, looked up by its hash."""
    row = database.execute(
        "SELECT 1 FROM admin_token WHERE hash = ? AND revoked_us IS NULL",
        (hash_of(text.encode()),),
    ).fetchone()
    return row is not None
