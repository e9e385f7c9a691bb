"""What each failure of a call means: for its row, and for the client."""

from dataclasses import dataclass
from typing import Final, assert_never

from tokonomi.calls import Status
from tokonomi.gateway.disconnect import left
from tokonomi.gateway.settle import Ending, Exchange
from tokonomi.gateway.watch import Reason
from tokonomi.gateway.wire_errors import PROVIDER, WireError

_OK: Final = range(200, 300)
_ERRORS: Final = range(400, 600)
_CLIENT_ERRORS: Final = range(400, 500)
CLIENT_CLOSED_REQUEST = 499
"""Nobody reads this answer; the status is the one that proxies log for it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of a call that did not go well.

    Attributes:
        ending: what its row says.
        answer: what its client is told.
        given_up: whether we stopped waiting for a provider that may go on, and bill.
    """

    ending: Ending
    answer: WireError
    given_up: bool = False


class CallFailed(Exception):
    """A call failed before its answer to the client began."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.answer.message)


def unreachable(exchange: Exchange, why: str) -> Failure:
    """No connection: the provider got nothing, so it bills nothing, but nobody has said so."""
    name = exchange.target.name
    return Failure(
        Ending(Status.FAILED, f"the provider could not be reached and got nothing: {why}"),
        WireError(
            502,
            "provider_unreachable",
            f"The provider {name} could not be reached: {why}. Try again, or check its base_url.",
            kind=PROVIDER,
        ),
    )


def broken(exchange: Exchange, why: str, *, given_up: bool = False) -> Failure:
    """The connection failed after the request had left and before the answer was whole.

    What came of an answer with another status than one of success is not billed.
    """
    billable = exchange.http_status == 0 or exchange.http_status in _OK
    what = _may_bill(exchange) if billable else "the provider answered with no status of success"
    return Failure(
        Ending(Status.FAILED, f"{what}: the connection failed ({why})", may_bill=billable),
        WireError(
            502,
            "provider_failed",
            f"The connection to {exchange.target.name} failed before its answer was whole: {why}."
            " Try again; the provider may bill the failed call.",
            kind=PROVIDER,
        ),
        given_up,
    )


def refused(status: int) -> Ending:
    """The row of an error that the provider sent: it passes through to the client as it is.

    Providers do not bill what they answer with an error.
    """
    what = "refused the request" if status in _CLIENT_ERRORS else "failed"
    return Ending(
        Status.FAILED,
        f"the provider {what} (HTTP {status}) and reported no usage; errors are not billed",
    )


def ended(exchange: Exchange, reason: Reason) -> Failure:
    """A limit of time, or a client that left, before the answer to the client began."""
    limits, name = exchange.target.provider.timeouts, exchange.target.name
    match reason:
        case Reason.FIRST_BYTE:
            what = f"did not begin to answer within {limits.first_byte:g} s"
        case Reason.BETWEEN_CHUNKS | Reason.CLIENT_BODY:
            what = f"stopped for {limits.between_chunks:g} s in the middle of its answer"
        case Reason.TOTAL:
            what = f"did not finish within {limits.total:g} s"
        case Reason.CLIENT_LEFT:
            return _left(exchange)
        case _:
            assert_never(reason)
    return Failure(
        Ending(Status.FAILED, f"{_may_bill(exchange)}: it {what}", may_bill=True),
        WireError(
            504,
            "provider_timeout",
            f"The provider {name} {what}. Try again, or raise its timeouts.",
            kind=PROVIDER,
        ),
        given_up=True,
    )


def cut(exchange: Exchange, why: str, *, given_up: bool = False) -> Failure:
    """A stream that had begun and did not come to its end."""
    return Failure(
        Ending(Status.CUT, note=f"the stream was cut: {why}", may_bill=True),
        WireError(
            502,
            "provider_stream_cut",
            f"The provider {exchange.target.name} broke off its answer: {why}."
            " What came before is incomplete.",
            kind=PROVIDER,
        ),
        given_up,
    )


def stalled(exchange: Exchange, reason: Reason) -> Failure:
    """A stream that had begun when its time was over, or when its client left."""
    limits = exchange.target.provider.timeouts
    if reason is Reason.CLIENT_LEFT:
        return _left(exchange)
    if reason is Reason.TOTAL:
        return cut(exchange, f"it was not finished within {limits.total:g} s", given_up=True)
    return cut(exchange, f"nothing came for {limits.between_chunks:g} s", given_up=True)


def _left(exchange: Exchange) -> Failure:
    """The client is gone; a provider that was refusing the request bills nothing for that."""
    refuses = exchange.http_status in _ERRORS
    ending = refused(exchange.http_status) if refuses else left(exchange)
    return Failure(ending, WireError(CLIENT_CLOSED_REQUEST, "client_left", "The client left."))


def _may_bill(exchange: Exchange) -> str:
    worst = exchange.intent.worst_case
    if worst is None:
        return f"the provider may bill up to {exchange.intent.input_bound} input tokens"
    return f"the provider may bill up to {worst.format()}"
