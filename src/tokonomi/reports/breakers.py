"""The table of circuit breakers: how the breaker of each target stands, and why."""

from collections.abc import Sequence
from datetime import datetime

from tokonomi.reports.amounts import instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.breaker_store import CountedBreaker


def breakers_table(breakers: Sequence[CountedBreaker], now: datetime) -> Table:
    """One line per target, in their order."""
    headings = (
        Heading("target"),
        Heading("state"),
        Heading("since", optional=True),
        Heading("half_opens", optional=True),
        Heading("openings", numeric=True),
        Heading("calls", numeric=True),
        Heading("failures", numeric=True),
        Heading("why", optional=True),
    )
    rows = tuple(_line(each, now) for each in breakers)
    notes = () if rows else ("No call has gone through a chain of targets yet.",)
    return Table("Circuit breakers", headings, rows, notes)


def _line(counted: CountedBreaker, now: datetime) -> tuple[Cell, ...]:
    breaker = counted.breaker
    return (
        counted.target,
        str(breaker.phase(now)),
        instant_text(breaker.since),
        instant_text(breaker.until),
        breaker.openings,
        counted.seen.calls,
        counted.seen.failures,
        breaker.why or None,
    )
