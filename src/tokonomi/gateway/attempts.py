"""One attempt at one target: sent, its answer read as it comes, and passed on or given up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from tokonomi.gateway import failures
from tokonomi.gateway.bookkeeping import Bookkeeper
from tokonomi.gateway.delivery import Delivery
from tokonomi.gateway.disconnect import policy_of
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.failures import AttemptFailed, Failure
from tokonomi.gateway.joined_answer import JoinedAnswer
from tokonomi.gateway.outgoing import Outgoing
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.streamed_answer import StreamedAnswer
from tokonomi.gateway.upstream import Broken, Reply, Unreachable, Upstream
from tokonomi.gateway.watch import Ended, Reason, Watch
from tokonomi.gateway.whole_answer import WholeAnswer
from tokonomi.routing.failure import FailureKind

_OK: Final = range(200, 300)
_EVENT_STREAM: Final = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How attempts are made: over which connections, and how much of a reply is read."""

    books: Bookkeeper
    upstreams: Mapping[str, Upstream]
    reply_bytes: int

    async def make(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        watch: Watch,
        delivery: Delivery,
        *,
        out: Outgoing,
        joined: JoinedAnswer | None = None,
    ) -> Failure | None:
        """Answers the client from this target; when it returns, the attempt has its row.

        What is returned is what broke the answer off after some of it had gone to the client.
        With `joined` another target may take the answer up, so that is raised.

        Raises:
            AttemptFailed: it did not answer, or not to the end. No row yet.
            WireError: its answer could not be recorded, so it is withheld.
        """
        reply = await self._ask(exchange, watch, out)
        streamed = reply.status in _OK and _is_event_stream(reply)
        answer = (StreamedAnswer if streamed else WholeAnswer)(
            endpoint=endpoint,
            exchange=exchange,
            reply=reply,
            watch=watch,
            delivery=delivery,
            dialect=out.dialect,
            books=self.books,
            joined=joined,
            most_bytes=self.reply_bytes,
        )
        try:
            return await answer.pass_on()
        finally:
            reply.close()

    async def _ask(self, exchange: Exchange, watch: Watch, out: Outgoing) -> Reply:
        limits = exchange.patience
        # A provider that is still being connected to has got nothing, and bills nothing.
        watch.limit(limits.connect + limits.first_byte, Reason.FIRST_BYTE)
        try:
            with watch:
                reply = await self.upstreams[exchange.target.name].post(
                    out.path,
                    out.body,
                    connect_seconds=limits.connect,
                    fields=exchange.sent_along,
                    leaving=partial(_leaves, exchange, watch),
                )
        except Ended as end:
            raise AttemptFailed(failures.ended(exchange, end.reason)) from None
        except Unreachable as error:
            raise AttemptFailed(failures.unreachable(exchange, error)) from None
        except Broken as error:
            kind = FailureKind.CONNECTION_LOST
            raise AttemptFailed(failures.broken(exchange, str(error), kind)) from None
        exchange.http_status = reply.status
        return reply


def _leaves(exchange: Exchange, watch: Watch) -> None:
    """Takes note that the request leaves now: from here on it may be billed."""
    exchange.sent = True
    watch.goes_on = policy_of(exchange) == "drain"
    watch.limit(exchange.patience.first_byte, Reason.FIRST_BYTE)


def _is_event_stream(reply: Reply) -> bool:
    for name, value in reply.headers:
        if name == b"content-type" and value.lower().startswith(_EVENT_STREAM):
            return True
    return False
