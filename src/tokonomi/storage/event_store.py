"""Events in the store: each a row before anybody is told, and told until somebody has heard it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database, Row

About = Literal["budget", "wallet", "alias"]

LEASE: Final = timedelta(seconds=60)
"""How long one worker may take to tell an event before another one tries."""
RETRIES: Final = tuple(timedelta(seconds=each) for each in (5, 15, 60, 300, 900, 3_600))
"""The pause after each attempt that failed; the last one goes on."""
TOLD_WITHIN: Final = timedelta(days=3)
"""An event that nobody could be told of for this long is told no more; its row stays."""
_COLUMNS: Final = (
    "seq, account, name, about, subject, detail, at_us, due_us, attempts, failure, delivered_us"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people are told.

    Attributes:
        account: of the ledger: a budget's subject in one window, a wallet's newest grant, or
            whoever overran its holds; None for an alias, which is known by its subject.
        name: `spent 80%`, `forecast 100%`, `overrun 2026-01-30`, `credits_low`,
            `credits_exhausted`, `fallback_rate warning 2026-01-30T09` or
            `fallback_cost critical 2026-01-30`.
        about: a budget, a wallet or an alias.
        subject: the budget and whose share of it, the wallet, or the alias.
        text: one sentence with the numbers.
    """

    account: int | None
    name: str
    about: About
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that has fired, and whether its receiver was told.

    Attributes:
        seq: rises from event to event of one store.
        event: what it is.
        at: when it fired.
        due: when its receiver is told next; None when that is over.
        attempts: how often that was tried, the attempt that goes on included.
        failure: why the last attempt failed; empty when none did.
        delivered: when the receiver took it.
    """

    seq: int
    event: Event
    at: datetime
    due: datetime | None = None
    attempts: int = 0
    failure: str = ""
    delivered: datetime | None = None

    @property
    def id(self) -> str:
        """What a receiver knows it by: the same in every attempt, and no other event's, ever."""
        return f"evt-{microseconds(self.at):x}-{self.seq}"


def fire(database: Database, due: Iterable[Event], *, now: datetime) -> list[Event]:
    """Those of these events that had not fired before; they have now, once for all processes."""
    at_us = microseconds(now)
    with database.transaction():
        return [
            event
            for event in due
            if database.execute(
                "INSERT INTO event (account, name, about, subject, detail, at_us, due_us)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    event.account,
                    event.name,
                    event.about,
                    event.subject,
                    event.text,
                    at_us,
                    at_us,
                ),
            ).rowcount
        ]


def latest_events(
    database: Database, about: About | None = None, *, last: int
) -> list[StoredEvent]:
    """The newest `last` events, of budgets, wallets or aliases alone when one is named."""
    where, values = ("", ()) if about is None else ("WHERE about = ?", (about,))
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM event {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - ours
        (*values, last),
    )
    return [_stored(row) for row in rows]


def claim_event(database: Database, *, now: datetime) -> StoredEvent | None:
    """An event that this caller, and no other for the time of `LEASE`, is to tell; None if none is.

    Say with `delivered` or `not_delivered` how it went. A caller that dies says nothing, and the
    event is due again: it is told at least once.
    """
    now_us = microseconds(now)
    if (
        database.execute("SELECT 1 FROM event WHERE due_us <= ? LIMIT 1", (now_us,)).fetchone()
        is None
    ):
        return None
    with database.transaction():
        database.execute(
            "UPDATE event SET due_us = NULL WHERE due_us <= ? AND at_us <= ?",
            (now_us, microseconds(now - TOLD_WITHIN)),
        )
        skip = " FOR UPDATE SKIP LOCKED" if database.dialect == "postgresql" else ""
        row = database.execute(
            f"SELECT {_COLUMNS} FROM event WHERE due_us <= ? ORDER BY due_us, seq LIMIT 1{skip}",  # noqa: S608 - ours
            (now_us,),
        ).fetchone()
        if row is None:
            return None
        database.execute(
            "UPDATE event SET due_us = ?, attempts = attempts + 1 WHERE seq = ?",
            (microseconds(now + LEASE), row[0]),
        )
    claimed = _stored(row)
    return replace(claimed, attempts=claimed.attempts + 1)


def delivered(database: Database, event: StoredEvent, *, now: datetime) -> None:
    """Notes that the receiver has taken an event; nobody is told of it again."""
    database.execute(
        "UPDATE event SET delivered_us = ?, due_us = NULL, failure = '' WHERE seq = ?",
        (microseconds(now), event.seq),
    )


def not_delivered(database: Database, event: StoredEvent, why: str, *, now: datetime) -> None:
    """Notes why this attempt failed, and when the next one is due."""
    pause = RETRIES[min(event.attempts, len(RETRIES)) - 1]
    database.execute(
        "UPDATE event SET due_us = ?, failure = ?"
        " WHERE seq = ? AND attempts = ? AND delivered_us IS NULL",
        (microseconds(now + pause), why, event.seq, event.attempts),
    )


def _stored(row: Row) -> StoredEvent:
    seq, account, name, about, subject, text, at_us, due_us, attempts, failure, told_us = row
    return StoredEvent(
        seq=seq,
        event=Event(account, name, about, subject, text),
        at=instant(at_us),
        due=None if due_us is None else instant(due_us),
        attempts=attempts,
        failure=failure,
        delivered=None if told_us is None else instant(told_us),
    )
