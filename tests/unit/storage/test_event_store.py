"""An event is told until somebody has heard it, and by one worker at a time."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import (
    LEASE,
    RETRIES,
    TOLD_WITHIN,
    About,
    Event,
    StoredEvent,
    claim_event,
    delivered,
    fire,
    latest_events,
    not_delivered,
)
from tokonomi.storage.ledger import CREDIT, open_account

NOW = datetime(2026, 11, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def an_event(database: Database, name: str = "spent 80%", about: About = "budget") -> Event:
    account = open_account(database, "an account", CREDIT)
    return Event(account, name, about, f"{about} team", f"{about} team: {name}")


def claimed(database: Database, now: datetime) -> StoredEvent:
    found = claim_event(database, now=now)
    assert found is not None
    return found


def test_an_event_fires_once_and_is_listed_with_what_became_of_it(database: Database) -> None:
    first, second = an_event(database), an_event(database, "credits_low", "wallet")
    assert fire(database, [first], now=NOW) == [first]
    assert fire(database, [first, second], now=NOW + SECOND) == [second]
    newest = latest_events(database, last=10)
    assert [each.event for each in newest] == [second, first]
    assert latest_events(database, last=1) == newest[:1]
    assert latest_events(database, "budget", last=10) == newest[1:]
    assert newest[1] == StoredEvent(newest[1].seq, first, NOW, due=NOW)


def test_what_was_delivered_is_told_no_more(database: Database) -> None:
    fire(database, [an_event(database)], now=NOW)
    event = claimed(database, NOW)
    assert (event.attempts, event.failure) == (1, "")
    delivered(database, event, now=NOW + SECOND)
    assert claim_event(database, now=NOW + 10 * TOLD_WITHIN) is None
    [listed] = latest_events(database, last=1)
    assert (listed.delivered, listed.due, listed.attempts) == (NOW + SECOND, None, 1)


def test_a_claimed_event_is_nobody_elses_until_its_teller_is_given_up(database: Database) -> None:
    fire(database, [an_event(database)], now=NOW)
    first = claimed(database, NOW)
    assert claim_event(database, now=NOW + LEASE - SECOND) is None
    again = claimed(database, NOW + LEASE)
    assert (again.id, again.attempts) == (first.id, 2)
    # The first one comes back late; that it failed is no reason to disturb the second.
    not_delivered(database, first, "too late", now=NOW + LEASE)
    assert claim_event(database, now=NOW + LEASE + RETRIES[0]) is None
    delivered(database, again, now=NOW + LEASE)
    not_delivered(database, again, "was delivered", now=NOW + LEASE)
    assert claim_event(database, now=NOW + 2 * LEASE) is None


def test_a_failed_attempt_is_made_again_after_growing_pauses_for_three_days(
    database: Database,
) -> None:
    fire(database, [an_event(database)], now=NOW)
    now, pauses = NOW, list[timedelta]()
    while (event := claim_event(database, now=now)) is not None:
        not_delivered(database, event, f"HTTP 500, attempt {event.attempts}", now=now)
        [listed] = latest_events(database, last=1)
        assert listed.due is not None
        assert listed.failure == f"HTTP 500, attempt {len(pauses) + 1}"
        assert claim_event(database, now=listed.due - SECOND / 2) is None
        pauses.append(listed.due - now)
        now = listed.due
    assert pauses[: len(RETRIES)] == list(RETRIES)
    assert set(pauses[len(RETRIES) :]) == {RETRIES[-1]}
    assert now - NOW >= TOLD_WITHIN
    [listed] = latest_events(database, last=1)
    assert (listed.due, listed.delivered, listed.attempts) == (None, None, len(pauses))


def test_many_workers_never_tell_one_event_at_the_same_moment(
    new_store: Callable[[], Path | str],
) -> None:
    store = new_store()
    with closing(open_store(store)) as database:
        fire(database, [an_event(database, f"spent {n}%") for n in range(40)], now=NOW)
    taken: list[str] = []
    start = threading.Barrier(4)

    def tell() -> None:
        with closing(open_store(store)) as database:
            start.wait()
            while (event := claim_event(database, now=NOW)) is not None:
                taken.append(event.id)
                delivered(database, event, now=NOW)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40
