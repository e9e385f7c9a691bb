"""Events reach the webhook signed, at least once, and from one worker at a time."""

import asyncio
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiver import Receiver

from tokonomi.gateway import webhook
from tokonomi.gateway.messenger import Messenger
from tokonomi.gateway.webhook import TIMEOUT_SECONDS, Webhook
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import LEASE, Event, StoredEvent, fire, latest_events
from tokonomi.storage.ledger import open_account

SECRET = "a secret of the operator"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    serving = Receiver()
    serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def store(new_store: Callable[[], Path | str]) -> str:
    return str(new_store())


@pytest.fixture
def database(store: str) -> Iterator[Database]:
    with closing(open_store(store)) as opened:
        yield opened


def happen(database: Database, *names: str) -> None:
    account = open_account(database, "an account", "USD")
    events = [Event(account, each, "budget", "budget team all", f"It is {each}.") for each in names]
    fire(database, events, now=datetime.now(UTC))


def trusting(url: str) -> Webhook:
    return Webhook(url, SECRET, allow_private=True)


def tell(store: str, url: str) -> None:
    """One look of one gateway."""
    with closing(Messenger(store, lambda: trusting(url))) as messenger:
        asyncio.run(messenger.tell_all())


def only(database: Database) -> StoredEvent:
    [event] = latest_events(database, last=10)
    return event


def make_due(database: Database) -> None:
    database.execute("UPDATE event SET due_us = 0 WHERE delivered_us IS NULL")


def test_an_event_is_told_once_with_what_a_program_needs_and_a_signature(
    store: str, database: Database, receiver: Receiver
) -> None:
    happen(database, "spent 80%")
    tell(store, f"{receiver.url}?team=a%20b")
    tell(store, receiver.url)
    [told] = receiver.told
    event = only(database)
    assert told.path == "/hook?team=a%20b"
    assert json.loads(told.body) == {
        "id": event.id,
        "event": "spent 80%",
        "about": "budget",
        "subject": "budget team all",
        "text": "It is spent 80%.",
        "at": event.at.isoformat().replace("+00:00", "Z"),
    }
    headers = {name.lower(): value for name, value in told.headers.items()}
    assert headers["x-tokonomi-event"] == event.id
    stamp, digest = (part.partition("=")[2] for part in headers["x-tokonomi-signature"].split(","))
    signed = hmac.new(SECRET.encode(), f"{stamp}.".encode() + told.body, hashlib.sha256)
    assert digest == signed.hexdigest()
    assert abs(int(stamp) - event.at.timestamp()) < 60
    assert event.delivered is not None
    assert (event.attempts, event.due, event.failure) == (1, None, "")


@pytest.mark.parametrize("status", [302, 400, 410, 500])
def test_an_event_that_is_not_taken_is_told_again_later_with_the_same_id(
    store: str, database: Database, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    happen(database, "spent 80%")
    tell(store, receiver.url)
    failed = only(database)
    assert (failed.delivered, failed.attempts, failed.failure) == (None, 1, f"HTTP {status}")
    tell(store, receiver.url)
    assert len(receiver.told) == 1
    make_due(database)
    tell(store, receiver.url)
    assert only(database).delivered is not None
    first, second = receiver.told
    assert (first.body, second.path) == (second.body, "/hook")


def test_a_receiver_that_is_not_there_is_told_in_the_row_and_in_the_log(
    store: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    happen(database, "spent 80%")
    with caplog.at_level(logging.WARNING):
        tell(store, f"http://127.0.0.1:{port}/")
        make_due(database)
        tell(store, "http://no..such.host/")
    assert "attempt 1: [Errno 111] Connect call failed" in caplog.text
    event = only(database)
    assert (event.delivered, event.attempts) == (None, 2)
    assert event.failure != ""
    assert SECRET not in caplog.text


def test_a_receiver_that_does_not_answer_is_given_up_within_the_lease_of_its_teller(
    store: str, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=2 * TIMEOUT_SECONDS) < LEASE
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.05)
    receiver.hold.clear()
    happen(database, "spent 80%")
    tell(store, receiver.url)
    assert only(database).failure == "no answer within 0.05 s"


def test_four_gateways_tell_each_event_once(
    store: str, database: Database, receiver: Receiver
) -> None:
    names = [f"spent {number}%" for number in range(20)]
    happen(database, *names)

    async def tell_at_once() -> None:
        gateways = [Messenger(store, lambda: trusting(receiver.url)) for _ in range(4)]
        await asyncio.gather(*(each.tell_all() for each in gateways))
        for each in gateways:
            each.close()

    asyncio.run(tell_at_once())
    assert sorted(json.loads(told.body)["event"] for told in receiver.told) == sorted(names)


def test_a_gateway_that_dies_while_it_tells_leaves_the_event_to_the_next_one(
    store: str, database: Database, receiver: Receiver
) -> None:
    receiver.hold.clear()
    happen(database, "spent 80%")

    async def die_while_telling() -> None:
        messenger = Messenger(store, lambda: trusting(receiver.url))
        telling = asyncio.create_task(messenger.run())
        assert await asyncio.to_thread(receiver.came.wait, 10)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        messenger.close()

    asyncio.run(die_while_telling())
    receiver.hold.set()
    tell(store, receiver.url)
    assert len(receiver.told) == 1
    assert only(database).delivered is None
    make_due(database)
    tell(store, receiver.url)
    assert only(database).delivered is not None
    first, second = receiver.told
    assert first.body == second.body
