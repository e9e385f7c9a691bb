"""A provider's answer to one attempt, and what both its forms, whole and streamed, have."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from msgspec.structs import replace

from tokonomi.gateway.bookkeeping import Bookkeeper, HandedOver
from tokonomi.gateway.carriage import Carriage, carriage_between
from tokonomi.gateway.delivery import Delivery
from tokonomi.gateway.disconnect import drained, not_drained
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.failures import Failure
from tokonomi.gateway.joined_answer import JoinedAnswer
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.upstream import Broken, Reply
from tokonomi.gateway.watch import Watch
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.settled_call import Ending, joined
from tokonomi.providers.whole_reply import FINE


class TooLarge(Broken):
    """The answer is larger than we take; the provider writes on."""


@dataclass(slots=True, kw_only=True)
class ProviderAnswer(ABC):
    """An answer that has begun to come.

    Attributes:
        endpoint: which operation was asked for.
        exchange: the attempt.
        reply: what comes.
        watch: what may end the wait for it.
        delivery: where it goes.
        dialect: what the provider speaks.
        books: who writes the attempt.
        most_bytes: how much of it is read.
        joined: the client's answer, where this one may be a part of it.
    """

    endpoint: Endpoint
    exchange: Exchange
    reply: Reply
    watch: Watch
    delivery: Delivery
    dialect: Dialect
    books: Bookkeeper
    most_bytes: int
    joined: JoinedAnswer | None = None

    @abstractmethod
    async def pass_on(self) -> Failure | None:
        """Returns when the client has the answer, and the attempt its row.

        What is returned is what broke the answer off after some of it had gone to the client, and
        nobody takes it up.

        Raises:
            AttemptFailed: it is none, or broke off and may be taken up. No row yet.
            WireError: it could not be recorded, so it is withheld.
        """

    @property
    def carriage(self) -> Carriage:
        """How it reaches the client."""
        return carriage_between(self.endpoint, self.dialect)

    def hand_over(self, ending: Ending) -> HandedOver:
        """The attempt's row, on its way to the store."""
        alone = self.books.metrics.in_flight == 1
        return self.books.hand_over(self.exchange, ending, alone=alone)


def noted(ending: Ending, note: str) -> Ending:
    """The same with one more sentence in its row; an empty one says nothing."""
    return replace(ending, note=joined(ending.note, note)) if note else ending


def ending_of(failure: Failure | None, watch: Watch) -> Ending:
    """What the row says of an attempt that failed, or did not."""
    if not watch.unattended:
        return failure.ending if failure else FINE
    if failure is None:
        return drained(FINE)
    return not_drained(failure.ending, given_up=failure.given_up)
