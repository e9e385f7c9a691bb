"""Events of budgets, wallets and aliases over HTTP."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery, QueryParameter

from tokonomi.admin.stores import stores_of
from tokonomi.storage.event_store import About, StoredEvent, latest_events

_MOST: Final = 1_000
Last = Annotated[int, QueryParameter(ge=1, le=_MOST, description="How many, the newest first.")]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """What fired, and whether the webhook was told of it.

    The first six fields are what the webhook is sent. `next_attempt` is absent once it was
    delivered, or given up; it means nothing while no gateway has a webhook.
    """

    id: str
    event: str
    about: About
    subject: str
    text: str
    at: datetime
    delivered: datetime | None
    attempts: int
    next_attempt: datetime | None
    failure: str


@get("/events", sync_to_thread=True, tags=["events"], operation_id="list_events")
def list_events(
    state: State, *, about: FromQuery[About | None] = None, last: Last = 100
) -> list[EventView]:
    """The newest events, of budgets, wallets or aliases alone where `about` says so."""
    with stores_of(state).opened() as database:
        return [_view(each) for each in latest_events(database, about, last=last)]


ROUTES: Final = (list_events,)


def _view(stored: StoredEvent) -> EventView:
    event = stored.event
    return EventView(
        id=stored.id,
        event=event.name,
        about=event.about,
        subject=event.subject,
        text=event.text,
        at=stored.at,
        delivered=stored.delivered,
        attempts=stored.attempts,
        next_attempt=stored.due,
        failure=stored.failure,
    )
