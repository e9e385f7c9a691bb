"""The table of events: what fired, and whether the webhook was told."""

from collections.abc import Iterable

from tokonomi.reports.amounts import instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.event_store import StoredEvent


def events_table(title: str, events: Iterable[StoredEvent]) -> Table:
    """One line per event, in their order; how telling it went stands there once it was tried."""
    headings = (
        Heading("id"),
        Heading("at"),
        Heading("event"),
        Heading("subject"),
        Heading("text"),
        Heading("delivered", optional=True),
        Heading("attempts", numeric=True, optional=True),
        Heading("next_attempt", optional=True),
        Heading("failure", optional=True),
    )
    rows = tuple(_line(each) for each in events)
    return Table(title, headings, rows, () if rows else ("Nothing has fired.",))


def _line(stored: StoredEvent) -> tuple[Cell, ...]:
    tried = stored.attempts > 0
    return (
        stored.id,
        instant_text(stored.at),
        stored.event.name,
        stored.event.subject,
        stored.event.text,
        instant_text(stored.delivered),
        stored.attempts if tried else None,
        instant_text(stored.due) if tried else None,
        stored.failure or None,
    )
