"""Secrets in the store, sealed: set, listed by name, removed, and sealed anew with another key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokonomi.errors import BadInput, NotFound
from tokonomi.naming import meant
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import UNNAMED, Author, change_of_rules
from tokonomi.storage.config_store import KIND_OF_SECRETS
from tokonomi.storage.database import Database
from tokonomi.storage.master_keys import MasterKeys, Sealed

WEBHOOK: Final = "alerts/webhook"
"""The secret that signs what the webhook is sent."""
_PROVIDER: Final = re.compile(r"providers/.{1,200}")
_LONGEST: Final = 8_192


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What is known of a secret: everything but the secret."""

    name: str
    key_id: str
    set_at: datetime


def provider_secret(provider: str) -> str:
    """The name of a provider's key among the secrets."""
    return f"providers/{provider}"


def set_secret(
    database: Database,
    name: str,
    text: str,
    keys: MasterKeys,
    *,
    now: datetime,
    by: Author = UNNAMED,
) -> StoredSecret:
    """The secret, in place of the one of this name; gateways use it within a second.

    Raises:
        BadInput: nothing uses a secret of this name, or the text is none that a header can carry.
    """
    if name != WEBHOOK and not (_PROVIDER.fullmatch(name) and name.isprintable()):
        raise BadInput(
            f'nothing uses a secret called "{name}"',
            remedy=f"Name a provider's as providers/openai, the webhook's {WEBHOOK}.",
        )
    if not text or len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
        raise BadInput(
            f"what was given as the secret {name} is empty, longer than {_LONGEST} characters, or"
            " has some that no header can carry"
        )
    sealed = keys.seal(name, text)
    with change_of_rules(database, now=now, by=by) as changing:
        old = _find(database, name)
        database.execute(
            "INSERT INTO secret (name, key_id, nonce, sealed, set_us) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, nonce = excluded.nonce,"
            " sealed = excluded.sealed, set_us = excluded.set_us",
            (name, sealed.key_id, sealed.nonce, sealed.text, microseconds(now)),
        )
        new = StoredSecret(name, sealed.key_id, instant(microseconds(now)))
        # Two secrets set at the same instant are two changes all the same.
        after = _audited(new) | {"change": changing.number}
        changing.note(KIND_OF_SECRETS, name, old and _audited(old), after)
    return new


def remove_secret(
    database: Database, name: str, *, now: datetime, by: Author = UNNAMED
) -> StoredSecret:
    """The secret that is no more.

    Raises:
        NotFound: there is no secret of this name.
    """
    with change_of_rules(database, now=now, by=by) as changing:
        old = _find(database, name)
        if old is None:
            known = [each.name for each in every_secret(database)]
            raise NotFound(
                f'there is no secret "{name}"',
                remedy=meant(name, known) if known else "There is none at all.",
            )
        database.execute("DELETE FROM secret WHERE name = ?", (name,))
        changing.note(KIND_OF_SECRETS, name, _audited(old), None)
    return old


def every_secret(database: Database) -> list[StoredSecret]:
    """What is known of all secrets, in the order of their names."""
    rows = database.execute(f"{_SELECT} ORDER BY name")
    return sorted((_read(*row) for row in rows), key=lambda each: each.name)


def sealed_secrets(database: Database) -> Mapping[str, Sealed]:
    """All secrets as they are stored, by name."""
    rows = database.execute("SELECT name, key_id, nonce, sealed FROM secret")
    return {name: Sealed(key_id, bytes(nonce), bytes(text)) for name, key_id, nonce, text in rows}


def rotate(
    database: Database, keys: MasterKeys, *, now: datetime, by: Author = UNNAMED
) -> list[str]:
    """The names of the secrets that were sealed with an older key, and are with the current one.

    All in one transaction: a crash leaves every secret as it was, or every one sealed anew.

    Raises:
        BadConfig: a secret's key is not among the known ones.
    """
    with change_of_rules(database, now=now, by=by) as changing:
        old = {
            name: sealed
            for name, sealed in sealed_secrets(database).items()
            if sealed.key_id != keys.current.id
        }
        for name, sealed in old.items():
            anew = keys.seal(name, keys.open(name, sealed))
            before = _find(database, name)
            database.execute(
                "UPDATE secret SET key_id = ?, nonce = ?, sealed = ? WHERE name = ?",
                (anew.key_id, anew.nonce, anew.text, name),
            )
            after = _find(database, name)
            changing.note(
                KIND_OF_SECRETS, name, before and _audited(before), after and _audited(after)
            )
    return sorted(old)


_SELECT: Final = "SELECT name, key_id, set_us FROM secret"


def _find(database: Database, name: str) -> StoredSecret | None:
    row = database.execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone()
    return None if row is None else _read(*row)


def _read(name: str, key_id: str, set_us: int) -> StoredSecret:
    return StoredSecret(name, key_id, instant(set_us))


def _audited(secret: StoredSecret) -> dict[str, object]:
    return {"key_id": secret.key_id, "set": secret.set_at.isoformat()}
