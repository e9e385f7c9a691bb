"""Master keys: what secrets in the store are sealed with. They are never in the store themselves.

Sealed is AES-256-GCM with a random nonce; the secret's name and the key's id are authenticated, so
that nobody who writes the store can put one secret in the place of another.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tokonomi.errors import BadConfig, StartError
from tokonomi.storage.location import MasterKeyPlace

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_LENGTH: Final = 8
_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret that only its master key opens."""

    key_id: str
    nonce: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 random bytes, and the id that says which ones without telling them."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The first digits of the key's SHA-256."""
        return hashlib.sha256(b"tokonomi master key:" + self.secret).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The keys that are known here: the first seals, all of them open."""

    keys: Sequence[MasterKey]

    @property
    def current(self) -> MasterKey:
        """The key that seals."""
        return self.keys[0]

    def seal(self, name: str, text: str) -> Sealed:
        """The secret `text`, sealed under its name."""
        return self.seal_bytes(name, text.encode())

    def seal_bytes(self, name: str, content: bytes) -> Sealed:
        """The content, sealed under its name."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key = self.current
        sealed = AESGCM(key.secret).encrypt(nonce, content, _bound_to(name, key.id))
        return Sealed(key.id, nonce, sealed)

    def open(self, name: str, sealed: Sealed) -> str:
        """The secret of a name.

        Raises:
            BadConfig: its master key is not among these, or somebody has changed what is stored.
        """
        return self.open_bytes(name, sealed).decode()

    def open_bytes(self, name: str, sealed: Sealed) -> bytes:
        """The content of a name.

        Raises:
            BadConfig: as `open` does.
        """
        key = next((key for key in self.keys if key.id == sealed.key_id), None)
        if key is None:
            raise BadConfig(
                f"the secret {name} is sealed with master key {sealed.key_id}, and known here is"
                f" {', '.join(each.id for each in self.keys)}",
                remedy="Give the gateway that key too, or set the secret again.",
            )
        try:
            return AESGCM(key.secret).decrypt(
                sealed.nonce, sealed.text, _bound_to(name, sealed.key_id)
            )
        except InvalidTag:
            raise BadConfig(
                f"the secret {name} in the store was changed by somebody who has no master key",
                remedy=f"Find out who, and set it again: tokonomi secrets set {name}",
            ) from None


def read_master_keys(place: MasterKeyPlace, environ: Mapping[str, str] = os.environ) -> MasterKeys:
    """The keys of a variable or a file, one on each line, the newest first.

    Raises:
        BadConfig: there are none, or one is not 32 bytes in base64.
    """
    found = find_master_keys(place, environ)
    if found is None:
        remedy = (
            "Set it to a key that `tokonomi secrets new-key --print-key` makes."
            if place.variable
            else "Make one with `tokonomi secrets new-key`, or say where it is: [secrets] key_file"
            " or key_env in tokonomi.toml."
        )
        raise BadConfig(
            f"there is no master key for the store's secrets in {_where(place)}", remedy=remedy
        )
    return found


def find_master_keys(
    place: MasterKeyPlace, environ: Mapping[str, str] = os.environ
) -> MasterKeys | None:
    """The same keys, or None where there are none.

    Raises:
        BadConfig: one is not 32 bytes in base64, or the file cannot be read.
    """
    text = environ.get(place.variable, "") if place.variable else _text_of(place.file)
    if not text.strip():
        return None
    return MasterKeys(tuple(_key(line, _where(place)) for line in text.split()))


def _where(place: MasterKeyPlace) -> str:
    return f"the environment variable {place.variable}" if place.variable else str(place.file)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"the master key {file} cannot be read: {error}") from error


def new_key() -> str:
    """A new master key as text: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def write_key_first(file: Path) -> MasterKey:
    """A new master key, which stands first in the file from now on; those in it stay below.

    Only the owner may read the file. It is replaced whole: a crash leaves the old or the new one.

    Raises:
        StartError: the file cannot be written.
    """
    text = new_key()
    try:
        below = file.read_text(encoding="ascii") if file.exists() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{secrets.token_hex(4)}.temporary")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(f"{text}\n{below}")
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the master key {file} cannot be written: {error}") from error
    return MasterKey(base64.b64decode(text))


def _key(line: str, where: str) -> MasterKey:
    try:
        secret = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise BadConfig(
            f"{where} holds something that is no master key",
            remedy=f"A key is {KEY_BYTES} bytes in base64; `tokonomi secrets new-key` makes one.",
        )
    return MasterKey(secret)


def _bound_to(name: str, key_id: str) -> bytes:
    return f"{key_id}:{name}".encode()
