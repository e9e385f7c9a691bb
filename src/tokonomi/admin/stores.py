"""How the routes reach the store: one connection a request, in the thread that works on it."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from litestar import Request
from litestar.datastructures import State
from litestar.params import HeaderParameter, QueryParameter

from tokonomi.errors import BadInput, TokonomiError
from tokonomi.storage.admin_tokens import AdminToken
from tokonomi.storage.changes import Author
from tokonomi.storage.database import Database
from tokonomi.storage.master_keys import MasterKeys

DryRun = Annotated[bool, QueryParameter(description="Answer what would happen, and write nothing.")]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        description="The id of the payment, gift or refund, the same in every retry.",
    ),
]
_STORES: Final = "stores"
NEEDS: Final = "role"
"""The key of a route's options that says which role it takes to do more than read."""


class NotAllowed(TokonomiError):
    """The token's role is not enough for what was asked."""

    code = "not_allowed"


Asked = Request[Any, AdminToken, Any]
"""A request of somebody whose token is known."""


def author_of(request: Asked, message: str = "") -> Author:
    """Who asks, for the history of the configuration."""
    return Author(f"{request.auth.name} ({request.auth.id})", message)


@dataclass(frozen=True, slots=True)
class Stores:
    """Opens connections to the store, and reads the master keys of its secrets."""

    open_database: Callable[[], Database]
    read_master_keys: Callable[[], MasterKeys] | None = None

    @contextmanager
    def opened(self) -> Generator[Database]:
        """A connection, closed at the end."""
        with closing(self.open_database()) as database:
            yield database

    def master_keys(self) -> MasterKeys:
        """The keys that seal secrets.

        Raises:
            BadInput: this application was made without them.
            BadConfig: they cannot be read.
        """
        if self.read_master_keys is None:
            raise BadInput(
                "this admin API knows no master key", remedy="Use `tokonomi secrets set` instead."
            )
        return self.read_master_keys()


def stored_in(stores: Stores) -> State:
    """The application's state that `stores_of` reads."""
    return State({_STORES: stores})


def stores_of(state: State) -> Stores:
    """The stores of the application."""
    return cast("Stores", state[_STORES])


def utc_now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def in_utc(at: datetime | None) -> datetime | None:
    """The instant in UTC.

    Raises:
        BadInput: it has no zone.
    """
    if at is not None and at.tzinfo is None:
        raise BadInput(f"{at.isoformat()} has no zone", remedy="Write it like 2026-01-30T00:00Z.")
    return None if at is None else at.astimezone(UTC)
