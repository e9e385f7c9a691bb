"""How the routes reach the store: one connection a request, in the thread that works on it."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, cast

from litestar.datastructures import State
from litestar.params import HeaderParameter, QueryParameter

from tokonomi.errors import BadInput
from tokonomi.storage.database import Database

DryRun = Annotated[bool, QueryParameter(description="Answer what would happen, and write nothing.")]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        description="The id of the payment, gift or refund, the same in every retry.",
    ),
]
_STORES: Final = "stores"


@dataclass(frozen=True, slots=True)
class Stores:
    """Opens connections to the store."""

    open_database: Callable[[], Database]

    @contextmanager
    def opened(self) -> Generator[Database]:
        """A connection, closed at the end."""
        with closing(self.open_database()) as database:
            yield database


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
