"""What each failure of an attempt means: for its row, for the chain, and for the client."""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from msgspec import Struct, structs

from tokonomi.calls import Status
from tokonomi.gateway.answer import HeaderList
from tokonomi.gateway.disconnect import left
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.upstream import Unreachable, Untrusted
from tokonomi.gateway.watch import Reason
from tokonomi.gateway.wire_errors import PROVIDER, WireError
from tokonomi.providers.settled_call import Ending, joined
from tokonomi.routing.failure import WHAT, Failed, FailureKind

_OK: Final = range(200, 300)
_ERRORS: Final = range(400, 600)
_CLIENT_ERRORS: Final = range(400, 500)
CLIENT_CLOSED_REQUEST: Final = 499
"""Nobody reads this answer; the status is the one that proxies log for it."""


class Passable(Struct, frozen=True):
    """A provider's own answer, which the client gets when no target has a better one.

    `headers` are those that pass; `body` is in the client's dialect, and may be a whole stream.
    """

    status: int
    headers: HeaderList
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of an attempt that did not go well.

    Attributes:
        failed: what happened, as the table of failures knows it.
        ending: what its row says.
        answer: what its client is told.
        passable: the provider's own words, which go to the client in place of `answer`; None when
            it sent none, or none that are a client's business.
        given_up: whether we stopped waiting for a provider that may go on, and bill.
        said: the provider's own error, where the chain goes by what became of its answer instead.
    """

    failed: Failed
    ending: Ending
    answer: WireError
    passable: Passable | None = None
    given_up: bool = False
    said: Failed | None = None

    @property
    def alarming(self) -> Failed:
        """What the operator hears of, if it is an alarm."""
        return self.said or self.failed


class AttemptFailed(Exception):
    """An attempt failed; `sent` when some of its answer went to the client."""

    def __init__(self, failure: Failure, *, sent: bool = False) -> None:
        self.failure = failure
        self.sent = sent
        super().__init__(failure.answer.message)


def unreachable(exchange: Exchange, error: Unreachable) -> Failure:
    """No connection: the provider got nothing, so it bills nothing, but nobody has said so.

    Why is for the row and the log: it may name addresses inside, which are no client's business.
    """
    name = exchange.target.name
    kind = FailureKind.TLS if isinstance(error, Untrusted) else FailureKind.CONNECT
    return Failure(
        Failed(kind),
        Ending(Status.FAILED, f"the provider could not be reached and got nothing: {error}"),
        WireError(
            502,
            "provider_unreachable",
            f"The provider {name} could not be reached. Try again; its row says why.",
            kind=PROVIDER,
        ),
    )


def broken(exchange: Exchange, why: str, kind: FailureKind, *, told: str = "") -> Failure:
    """The connection failed after the request had left and before the answer was whole.

    What came of an answer with another status than one of success is not billed. `why` is for the
    row and the log: it may hold words of the provider or of the system. The client reads `told`,
    which is ours, or what such a failure is.
    """
    billable = exchange.http_status == 0 or exchange.http_status in _OK
    what = _may_bill(exchange) if billable else "the provider answered with no status of success"
    said = told or WHAT[kind]
    return Failure(
        Failed(kind, status=exchange.http_status),
        Ending(Status.FAILED, f"{what}: the connection failed ({why})", may_bill=billable),
        _no_whole_answer(exchange, said, may_bill=billable),
    )


def _no_whole_answer(exchange: Exchange, what: str, *, may_bill: bool) -> WireError:
    again = "Try again; it may bill the failed call." if may_bill else "Try again."
    name = exchange.target.name
    text = f"The provider {name} gave no whole answer ({what}). {again}"
    return WireError(502, "provider_failed", text, kind=PROVIDER)


def refused(exchange: Exchange, failed: Failed, passable: Passable) -> Failure:
    """An error that the provider sent: it passes through to the client when nothing is better."""
    word = failed.code if failed.rule.alarm else ""
    return _in_its_words(exchange, failed, refusal(passable.status, word), passable)


def refusal(status: int, word: str = "") -> Ending:
    """The row of an error that the provider sent. Providers do not bill what they answer so.

    `word` is the provider's code for it, where the client does not get that.
    """
    said = f"HTTP {status}, {word}" if word else f"HTTP {status}"
    what = "refused the request" if status in _CLIENT_ERRORS else "failed"
    return Ending(
        Status.FAILED,
        f"the provider {what} ({said}) and reported no usage; errors are not billed",
    )


def unusable(
    exchange: Exchange, failed: Failed, ending: Ending, passable: Passable | None
) -> Failure:
    """An answer with a status of success that is none: an error, empty, filtered or not JSON.

    Its provider may have billed it, and then a budget counts it; no customer pays for it. Without
    `passable` the client is told in our words.
    """
    told = structs.replace(
        ending,
        status=Status.FAILED,
        note=joined(ending.note, f"no answer: {WHAT[failed.kind]}"),
        # What says itself that it is an error is not billed.
        may_bill=ending.status is Status.OK and failed.rule.may_bill,
    )
    if passable is None:
        answer = _no_whole_answer(exchange, WHAT[failed.kind], may_bill=told.may_bill)
        return Failure(failed, told, answer)
    return _in_its_words(exchange, failed, told, passable)


def _in_its_words(
    exchange: Exchange, failed: Failed, ending: Ending, passable: Passable
) -> Failure:
    """A failure that the provider tells the client itself, unless it is between it and us.

    A 401 for our key would tell clients that theirs is wrong, and its text may name our account.
    """
    if failed.rule.alarm:
        return Failure(failed, ending, _refused_us(exchange, failed))
    name = exchange.target.name
    answer = WireError(
        502,
        "provider_failed",
        f"The provider {name} did not answer the request (HTTP {passable.status}). Try again.",
        kind=PROVIDER,
    )
    return Failure(failed, ending, answer, passable)


def _refused_us(exchange: Exchange, failed: Failed) -> WireError:
    return WireError(
        502,
        "provider_refused_us",
        f"The provider {exchange.target.name} does not serve this gateway ({WHAT[failed.kind]})."
        " Your own key is fine. Trying again does not help: tell whoever runs the gateway.",
        kind=PROVIDER,
        try_again=False,
    )


_TIMEOUTS: Final = {
    Reason.FIRST_BYTE: FailureKind.FIRST_BYTE_TIMEOUT,
    Reason.FIRST_TOKEN: FailureKind.FIRST_TOKEN_LATE,
    Reason.BETWEEN_CHUNKS: FailureKind.STALLED_STREAM,
    Reason.CLIENT_BODY: FailureKind.STALLED_STREAM,
    Reason.TOTAL: FailureKind.TOTAL_TIMEOUT,
}


def ended(exchange: Exchange, reason: Reason) -> Failure:
    """A limit of time, or a client that left, before the answer to the client began."""
    if reason is Reason.CLIENT_LEFT:
        return _left(exchange)
    name = exchange.target.name
    what = _too_slow(exchange, reason)
    billable = exchange.sent
    why = _may_bill(exchange) if billable else "the provider was not reached and got nothing"
    return Failure(
        Failed(_TIMEOUTS[reason], status=exchange.http_status),
        Ending(Status.FAILED, f"{why}: it {what}", may_bill=billable),
        WireError(
            504,
            "provider_timeout",
            f"The provider {name} {what}. Try again, or raise its timeouts.",
            kind=PROVIDER,
        ),
        given_up=True,
    )


def _too_slow(exchange: Exchange, reason: Reason) -> str:
    limits = exchange.patience
    match reason:
        case Reason.FIRST_BYTE:
            return f"did not begin to answer within {limits.first_byte:g} s"
        case Reason.FIRST_TOKEN:
            return f"sent no content within {exchange.patience.first_token:g} s"
        case Reason.BETWEEN_CHUNKS | Reason.CLIENT_BODY:
            return f"stopped for {limits.between_chunks:g} s in the middle of its answer"
        case Reason.TOTAL:
            return f"did not finish within {exchange.patience.total:g} s"
        case Reason.CLIENT_LEFT:
            raise AssertionError("a client that left is no slow provider")
        case _:
            assert_never(reason)


def cut(
    exchange: Exchange, why: str, kind: FailureKind = FailureKind.CUT_STREAM, *, told: str = ""
) -> Failure:
    """A stream that had begun and did not come to its end; `why` and `told` as in `broken`."""
    return Failure(
        Failed(kind, status=exchange.http_status),
        Ending(Status.CUT, note=f"the stream was cut: {why}", may_bill=True),
        WireError(
            502,
            "provider_stream_cut",
            f"The provider {exchange.target.name} broke off its answer ({told or WHAT[kind]})."
            " What came before is incomplete.",
            kind=PROVIDER,
        ),
    )


def error_event(exchange: Exchange, failed: Failed, why: str) -> Failure:
    """An error as the first thing that a stream says: like one with an error's status."""
    ending = Ending(
        Status.FAILED,
        f"the provider answered HTTP {exchange.http_status} with an error ({why}) and reported no"
        " usage",
    )
    return Failure(failed, ending, _said(exchange, failed, why))


def error_within(exchange: Exchange, failed: Failed, why: str) -> Failure:
    """An error that a stream says when some of its answer has gone to the client.

    For the chain the stream is cut, whatever the error; the operator still hears of an alarm.
    """
    return replace(cut(exchange, why), answer=_said(exchange, failed, why), said=failed)


def _said(exchange: Exchange, failed: Failed, why: str) -> WireError:
    if failed.rule.alarm:
        return _refused_us(exchange, failed)
    return cut(exchange, why, told=WHAT[failed.kind]).answer


def stalled(exchange: Exchange, reason: Reason) -> Failure:
    """A stream that had begun when its time was over, or when its client left."""
    limits = exchange.patience
    match reason:
        case Reason.CLIENT_LEFT:
            return _left(exchange)
        case Reason.TOTAL:
            why = f"it was not finished within {exchange.patience.total:g} s"
        case Reason.FIRST_TOKEN:
            why = _too_slow(exchange, reason)
        case _:
            why = f"nothing came for {limits.between_chunks:g} s"
    return replace(cut(exchange, why, _TIMEOUTS[reason], told=why), given_up=True)


def _left(exchange: Exchange) -> Failure:
    """The client is gone; a provider that was refusing the request bills nothing for that."""
    refuses = exchange.http_status in _ERRORS
    ending = refusal(exchange.http_status) if refuses else left(exchange)
    gone = WireError(CLIENT_CLOSED_REQUEST, "client_left", "The client left.")
    return Failure(Failed(FailureKind.CLIENT_LEFT), ending, gone)


def _may_bill(exchange: Exchange) -> str:
    worst = exchange.allowance.most_billed
    if worst is None:
        return f"the provider may bill up to {exchange.intent.input_bound} input tokens"
    return f"the provider may bill up to {worst.format()}"
