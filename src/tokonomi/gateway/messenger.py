"""Tells the operator's webhook what has fired, beside the requests and from the events' rows."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.gateway.webhook import Webhook
from tokonomi.storage.database import Database
from tokonomi.storage.event_store import StoredEvent, claim_event, delivered, not_delivered

LOOK_SECONDS: Final = 1.0
_log: Final = logging.getLogger("tokonomi.gateway")


class Messenger:
    """One of any number of tellers: each event is told by whoever claims its row first."""

    def __init__(self, store: str, webhook: Callable[[], Webhook | None]) -> None:
        """`webhook` says whom to tell now, if anybody; the configuration may change."""
        self._store = StoreTurns(store)
        self._webhook = webhook

    async def run(self) -> None:
        """Keeps telling until it is cancelled; what it was telling then is told again later."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.tell_all()
            except StoreError as error:
                _log.warning("events could not be read, they are told later: %s", error)

    async def tell_all(self) -> None:
        """Tells every event that is due, one after the other."""
        while (webhook := self._webhook()) and (event := await self._store.run(_claim)):
            why = await webhook.post(event)
            await self._store.run(_note(event, why))
            if why:
                _log.warning(
                    "event %s (%s) was not taken by the webhook, attempt %d: %s",
                    event.id,
                    event.event.name,
                    event.attempts,
                    why,
                )

    def close(self) -> None:
        """Lets go of the store, once nothing of it is in use."""
        self._store.close()


def _claim(database: Database) -> StoredEvent | None:
    return claim_event(database, now=datetime.now(UTC))


def _note(event: StoredEvent, why: str) -> Callable[[Database], None]:
    def note(database: Database) -> None:
        now = datetime.now(UTC)
        if why:
            not_delivered(database, event, why, now=now)
        else:
            delivered(database, event, now=now)

    return note
