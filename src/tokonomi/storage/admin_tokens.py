"""Tokens of the admin API: made once, shown once, and kept as a hash, as virtual keys are."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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


class Role(StrEnum):
    """What a token may do; each role may do what those before it may."""

    VIEWER = "viewer"
    """Read everything but secrets."""
    OPERATOR = "operator"
    """Change budgets, rates, wallet rules and credits."""
    ADMIN = "admin"
    """Change the configuration, secrets and tokens."""

    def allows(self, needed: "Role") -> bool:
        """Whether who has this role may do what the other role is needed for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class AdminToken:
    """What is known of a token: everything but the token. Instants are in UTC."""

    id: str
    name: str
    role: Role
    hint: str
    created: datetime
    revoked: datetime | None = None


def create(database: Database, name: str, *, role: Role, now: datetime) -> tuple[str, AdminToken]:
    """A new token: its text, which exists nowhere else from now on, and its record.

    Raises:
        BadInput: the name is empty, too long, or has characters that do not print.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadInput(
            f"a token's name is {name!r}", remedy=f"Use 1 to {_LONGEST_NAME} printable characters."
        )
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    token_id = f"adm_{secrets.token_hex(_ID_BYTES)}"
    token = AdminToken(token_id, name, role, text[-_HINT_LENGTH:], now)
    with database.transaction():
        database.execute(
            "INSERT INTO admin_token (id, name, role, hash, hint, created_us)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (token.id, name, role, hash_of(text.encode()), token.hint, microseconds(now)),
        )
    return text, token


def every_token(database: Database) -> list[AdminToken]:
    """All tokens, also the revoked ones, in the order of their creation."""
    rows = database.execute(f"{_SELECT} ORDER BY created_us, id")
    return [_read(*row) for row in rows]


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


def bearer_of(database: Database, text: str) -> AdminToken | None:
    """The token with this text, looked up by its hash; None when there is none, or no more."""
    row = database.execute(
        f"{_SELECT} WHERE hash = ? AND revoked_us IS NULL", (hash_of(text.encode()),)
    ).fetchone()
    return None if row is None else _read(*row)


_SELECT: Final = "SELECT id, name, role, hint, created_us, revoked_us FROM admin_token"


def _read(token_id: str, name: str, role: str, hint: str, *instants: int | None) -> AdminToken:
    created, revoked = instants
    assert created is not None, "the column refuses NULL"
    ended = None if revoked is None else instant(revoked)
    return AdminToken(token_id, name, Role(role), hint, instant(created), ended)
