"""An answer that comes at once: read to its end, judged, recorded, and passed on."""

from dataclasses import dataclass, replace
from typing import Final

from tokonomi.dialects.answer import Failure as Untold
from tokonomi.gateway import failures
from tokonomi.gateway.answer import cost_headers, passed
from tokonomi.gateway.disconnect import drained
from tokonomi.gateway.failures import AttemptFailed, Passable
from tokonomi.gateway.provider_answer import ProviderAnswer, TooLarge
from tokonomi.gateway.upstream import Broken
from tokonomi.gateway.watch import Ended, Reason
from tokonomi.providers.settled_call import Ending
from tokonomi.providers.whole_reply import FINE, observe_whole
from tokonomi.routing.failure import WHAT, FailureKind
from tokonomi.routing.reply import classify

_OK: Final = range(200, 300)
_ERRORS: Final = range(400, 600)
_BAD_GATEWAY: Final = 502
_SHOWN: Final = (FailureKind.CONTENT_FILTER, FailureKind.EMPTY_ANSWER)
FILTERED: Final = "content_filter"


@dataclass(slots=True, kw_only=True)
class WholeAnswer(ProviderAnswer):
    """See the module."""

    async def pass_on(self) -> None:
        """See `ProviderAnswer.pass_on`."""
        body = await self._read()
        status = self.reply.status
        if status in _ERRORS:
            raise AttemptFailed(self._refused(body))
        if status not in _OK:
            why = f"unexpected HTTP {status}"
            failure = failures.broken(self.exchange, why, FailureKind.MALFORMED_BODY, told=why)
            raise AttemptFailed(failure)
        if self.delivery.committed:
            failure = failures.broken(self.exchange, "it is no stream", FailureKind.MALFORMED_BODY)
            raise AttemptFailed(failure)
        bulk = self.endpoint.bulk
        ending = observe_whole(self.exchange.reading, body, http_status=status, bulk=bulk)
        passable = self._judged(body, ending)
        ended = self.hand_over(drained(ending) if self.watch.unattended else ending)
        headers = cost_headers(ended.call) + passable.headers
        await self.books.until_kept(self.exchange, ended)
        await self.delivery.whole(status, headers, passable.body)

    def _refused(self, body: bytes) -> failures.Failure:
        failed = classify(self.reply.status, self.reply.headers, body)
        assert failed is not None, "the status is that of an error"
        error = self.carriage.error(self.reply.status, body)
        return failures.refused(self.exchange, failed, self._passable(error))

    def _passable(self, body: bytes) -> Passable:
        return Passable(self.reply.status, passed(self.reply.headers), body)

    def _judged(self, body: bytes, ending: Ending) -> Passable:
        """What goes to the client of an answer with a status of success.

        Raises:
            AttemptFailed: it is an error, empty, filtered, or not what its interface describes.
        """
        carried = self.carriage.whole(self.exchange, body)
        if self._is_doubtful(ending) and not self.watch.unattended:
            failed = classify(self.reply.status, self.reply.headers, body)
            if failed is not None:
                passable = self._instead(failed.kind, body, carried)
                raise AttemptFailed(failures.unusable(self.exchange, failed, ending, passable))
        if isinstance(carried, Untold):
            malformed = FailureKind.MALFORMED_BODY
            raise AttemptFailed(failures.broken(self.exchange, carried.message, malformed))
        return self._passable(carried)

    def _instead(self, kind: FailureKind, body: bytes, carried: bytes | Untold) -> Passable | None:
        """What a client gets for no answer with a status of success, if no target has one.

        An error gets the status of one, since official clients take what comes with success for an
        answer. What is only empty or filtered is shown as it came. What is no JSON is nobody's
        words: it says nothing to a client.
        """
        if kind is FailureKind.MALFORMED_BODY:
            return None
        if kind in _SHOWN and not isinstance(carried, Untold):
            return self._passable(carried)
        error = self.carriage.error(_BAD_GATEWAY, body)
        return Passable(_BAD_GATEWAY, passed(self.reply.headers), error)

    def _is_doubtful(self, ending: Ending) -> bool:
        """Whether it may be no answer; nearly all plainly are one."""
        seen = self.exchange.reading.seen
        plain = bool(seen.relayed.pieces) and seen.finish_reason != FILTERED
        return ending is not FINE or (self.endpoint.answers and not plain)

    async def _read(self) -> bytes:
        watch, seconds = self.watch, self.exchange.patience.between_chunks
        pieces: list[bytes] = []
        left = self.most_bytes
        try:
            with watch:
                while True:
                    watch.limit(seconds, Reason.BETWEEN_CHUNKS)
                    piece = await self.reply.piece()
                    if not piece:
                        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                    left -= len(piece)
                    if left < 0:
                        raise TooLarge(f"the answer is larger than {self.most_bytes} bytes")
                    pieces.append(piece)
        except Ended as end:
            raise AttemptFailed(failures.ended(self.exchange, end.reason)) from None
        except Broken as error:
            too_large = isinstance(error, TooLarge)
            kind = FailureKind.MALFORMED_BODY if too_large else FailureKind.CONNECTION_LOST
            told = str(error) if too_large else WHAT[FailureKind.CUT_STREAM]
            failure = failures.broken(self.exchange, str(error), kind, told=told)
            raise AttemptFailed(replace(failure, given_up=too_large)) from None
