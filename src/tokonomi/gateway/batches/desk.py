"""What every request for files and batches needs, and what it knows of who asks."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.answer import Receive, Send
from tokonomi.gateway.config import Batches
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.gateway.wire_errors import WireError
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.file_store import Page
from tokonomi.storage.keys import Key
from tokonomi.storage.master_keys import MasterKeys, find_master_keys

MICROSECONDS: Final = 1_000_000
DAY_SECONDS: Final = 24 * 3_600
LEAST_KEPT_SECONDS: Final = 3_600
_MOST_LISTED: Final = 10_000
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Desk:
    """What all of them share.

    Attributes:
        store: where files and batches are.
        settings: what they may take.
        body_bytes: the largest body of one request.
        body_seconds: how long a client may leave its upload waiting.
        around: where the master keys are that files are sealed with.
    """

    store: StoreTurns
    settings: Batches
    body_bytes: int
    body_seconds: float
    around: Surroundings

    def keys(self) -> MasterKeys | None:
        """What files are sealed with; None where there is no master key.

        Raises:
            BadConfig: there is something in its place that is none.
        """
        return find_master_keys(self.around.master_keys, self.around.environ)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for files or batches, by a key that was let in.

    Attributes:
        key: who asks.
        headers: of the request.
        named: the file or batch that its address names; empty when it names none.
        query: what stands behind the question mark.
        aliases: what model names lead to.
        receive, send: its body, and its answer.
    """

    key: Key
    headers: Mapping[bytes, bytes]
    named: str
    query: bytes
    aliases: Aliases
    receive: Receive
    send: Send

    @property
    def project(self) -> str:
        """Whose files and batches it may see."""
        return self.key.project

    def asked(self, name: str) -> str:
        """The last value of a name in its query; empty when there is none."""
        found = parse_qs(self.query.decode("latin-1")).get(name)
        return found[-1] if found else ""

    def page(self, *, limit: int, most: int = _MOST_LISTED) -> Page:
        """Which part of a list it asks for.

        Raises:
            WireError: 400, where that cannot be read.
        """
        stated, order = self.asked("limit") or str(limit), self.asked("order") or "desc"
        if not stated.isdigit() or len(stated) > len(str(most)) or not 1 <= int(stated) <= most:
            raise wrong("limit", f"`limit` is not a number from 1 to {most}.")
        if order not in {"asc", "desc"}:
            raise wrong("order", "`order` is neither asc nor desc.")
        return Page(self.asked("after"), int(stated), order == "desc")


def wrong(param: str, message: str) -> WireError:
    """The answer to a request with a value that cannot be."""
    return WireError(400, "invalid_request", message, param=param)


def new_id(prefix: str) -> str:
    """A name that nobody can guess."""
    return f"{prefix}{secrets.token_hex(_ID_BYTES)}"


def now_us() -> int:
    """This instant, in microseconds since 1970."""
    return microseconds(datetime.now(UTC))


def seconds_of(at_us: int | None) -> int | None:
    """An instant as OpenAI's interface writes it: whole seconds since 1970."""
    return None if at_us is None else at_us // MICROSECONDS


def kept_seconds(settings: Batches, anchor: str, stated: str) -> int:
    """How long something is kept, as its owner may say of it.

    Raises:
        WireError: 400, where that cannot be.
    """
    most = settings.keep_days * DAY_SECONDS
    if not stated and not anchor:
        return most
    if anchor != "created_at":
        raise wrong("expires_after", 'The `anchor` of an expiry is "created_at".')
    if not stated.isdigit() or not LEAST_KEPT_SECONDS <= int(stated[:20]) <= most:
        raise wrong(
            "expires_after", f"The `seconds` of an expiry are from {LEAST_KEPT_SECONDS} to {most}."
        )
    return int(stated)
