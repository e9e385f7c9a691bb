"""One attempt of a tracked client at a provider: what passes by is read, its end is recorded."""

import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

import msgspec

from tokonomi.calls import Call, Intent, Status
from tokonomi.dialects.openai_chat.forms import form_of
from tokonomi.dialects.web_search import Searched, passed_to_openrouter
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.adapter import Dialect, Reading
from tokonomi.providers.settled_call import DEFECTS, Attempt, Ending, settled, unknowable
from tokonomi.providers.whole_reply import FINE, observe_whole
from tokonomi.sdk.border import BORDER
from tokonomi.sdk.endpoints import Endpoint
from tokonomi.sdk.event_stream import EventStream

_NANOSECONDS_PER_MS: Final = 1_000_000
_ERRORS: Final = range(400, 600)
_CLIENT_ERRORS: Final = range(400, 500)
_MOST_KEPT_BYTES: Final = 64 << 20
"""What is kept of a reply that can only be read as a whole."""
_UNREACHED: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
_LEFT: Final = "the caller stopped reading in the middle of the answer; what came of it is counted"
_NOT_SEEN: Final = "the caller did not read the answer, which says what was used"

Decode = Callable[[bytes], bytes]
"""Undoes the content encoding of a reply."""


class _Form(Enum):
    """How the body of a reply is to be read."""

    WHOLE = 1
    EVENTS = 2
    PACKED_EVENTS = 3
    """A stream of events under a content encoding; it is read when it has ended."""


class Exchange:
    """From the request that leaves to the end of its reply, whatever that is.

    Every method may be called at any time and never raises; only the first end counts.
    """

    __slots__ = (
        "_begun_ns",
        "_book",
        "_decode",
        "_endpoint",
        "_events",
        "_fields",
        "_first_token_ms",
        "_form",
        "_http_status",
        "_pieces",
        "_reading",
        "_record",
        "_size",
        "ended",
        "intent",
    )

    def __init__(
        self,
        intent: Intent,
        endpoint: Endpoint,
        fields: Mapping[str, msgspec.Raw],
        *,
        reading: Reading,
        book: PriceBook,
        record: Callable[["Exchange", Call], None],
    ) -> None:
        """An attempt that is about to leave.

        Args:
            intent: what is asked, by whom.
            endpoint: where.
            fields: the top level of the request's body.
            reading: what the reply is read with.
            book: the prices.
            record: takes the row, once.
        """
        self.intent = intent
        self.ended = False
        self._endpoint = endpoint
        self._fields = fields
        self._reading = reading
        self._events = EventStream(reading)
        self._book = book
        self._record = record
        self._begun_ns = time.monotonic_ns()
        self._form = _Form.WHOLE
        self._decode: Decode | None = None
        self._http_status = 0
        self._first_token_ms: int | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    def failed(self, error: BaseException) -> None:
        """No reply came."""
        with BORDER.around("recording a failed call"):
            name = type(error).__name__
            if not isinstance(error, Exception):
                why = f"{self._may_bill}: the caller gave it up before an answer came ({name})"
                self._end(Ending(Status.DISCONNECTED, why))
            elif name in _UNREACHED:
                why = f"the provider could not be reached and got nothing: {name}"
                self._end(Ending(Status.FAILED, why))
            else:
                why = f"{self._may_bill}: no answer came ({name})"
                self._end(Ending(Status.FAILED, why))

    def answered(self, status: int, headers: Mapping[str, str], decode: Decode) -> None:
        """The head of the reply has come."""
        with BORDER.around("reading the head of an answer"):
            self._http_status = status
            packed = headers.get("content-encoding", "identity") not in {"", "identity"}
            self._decode = decode if packed else None
            if headers.get("content-type", "").lower().startswith("text/event-stream"):
                self._form = _Form.PACKED_EVENTS if packed else _Form.EVENTS

    def took(self, piece: bytes) -> None:
        """A piece of the body goes to the caller."""
        with BORDER.around("reading a piece of an answer"):
            if self._endpoint.dialect is None:
                return
            if self._form is _Form.EVENTS:
                self._events.feed(piece)
                if self._first_token_ms is None and self._reading.seen.relayed.pieces:
                    self._first_token_ms = self._elapsed_ms
                return
            self._size += len(piece)
            if self._size <= _MOST_KEPT_BYTES:
                self._pieces.append(piece)

    def took_all(self) -> None:
        """The body came to its end."""
        with BORDER.around("recording a call"):
            if not self.ended:
                self._end(self._ending(whole=True))

    def left(self, why: str = "") -> None:
        """The caller is done with the reply, or gave it up; `why` says it in place of our words."""
        with BORDER.around("recording a call that was left"):
            if not self.ended:
                self._end(self._ending(whole=False, why=why))

    def broke(self, error: BaseException) -> None:
        """The body broke off."""
        if not isinstance(error, Exception):
            self.left()
            return
        with BORDER.around("recording a call that broke off"):
            if self.ended:
                return
            name = type(error).__name__
            if self._http_status in _ERRORS:
                self._end(self._refused)
            elif self._form is _Form.WHOLE:
                why = f"{self._may_bill}: the connection failed in the answer ({name})"
                self._end(Ending(Status.FAILED, why))
            else:
                self._read_packed_events()
                self._end(Ending(Status.CUT, note=f"the stream was cut: {name}"))

    def _ending(self, *, whole: bool, why: str = "") -> Ending:
        """What the row says of a reply whose end has come, or that its caller has left."""
        if self._http_status in _ERRORS:
            return self._refused
        if self._endpoint.dialect is None:
            status = Status.OK if whole else Status.DISCONNECTED
            return Ending(status, f"no adapter reads what {self._endpoint.path} used")
        if self._form is _Form.WHOLE:
            return self._whole_ending() if whole else Ending(Status.DISCONNECTED, why or _NOT_SEEN)
        self._read_packed_events()
        if whole:
            self._events.end()
        if self._events.complete or (whole and self._events.finished):
            return FINE
        if self._events.error or whole:
            cut = self._events.error or "it ended before its last event"
            return Ending(Status.CUT, note=f"the stream was cut: {cut}")
        return Ending(Status.DISCONNECTED, note=why or _LEFT)

    def _whole_ending(self) -> Ending:
        if self._size > _MOST_KEPT_BYTES:
            return Ending(Status.OK, f"the answer has {self._size} bytes, more than are read")
        ending = observe_whole(
            self._reading,
            self._body(),
            http_status=self._http_status,
            bulk=self._endpoint.bulk,
        )
        in_background = bytes(self._fields.get("background", b"")) == b"true"
        if in_background and self._reading.usage(self.intent.at) is None:
            return Ending(Status.OK, "the response goes on in the background, where nobody sees it")
        return ending

    def _read_packed_events(self) -> None:
        if self._form is _Form.PACKED_EVENTS and self._size <= _MOST_KEPT_BYTES:
            self._events.feed(self._body())

    def _body(self) -> bytes:
        body = b"".join(self._pieces)
        self._pieces.clear()
        return self._decode(body) if self._decode else body

    def _end(self, ending: Ending) -> None:
        self.ended = True
        name, searched = self._sold()
        attempt = Attempt(
            intent=self.intent,
            price_as=self.intent.dimensions.provider,
            sold_as=name,
            searched=searched,
            fields=self._fields,
            reading=self._reading,
            http_status=self._http_status,
            first_token_ms=self._first_token_ms,
            duration_ms=self._elapsed_ms,
        )
        try:
            call = settled(attempt, ending, self._book)
        except DEFECTS as defect:
            call = unknowable(attempt, ending, type(defect).__name__)
        self._record(self, call)

    def _sold(self) -> tuple[str, Searched]:
        provider, model = self.intent.dimensions.provider, self.intent.model
        if form_of(provider).search != "openrouter":
            return model, Searched.AS_SHOWN
        chat = self._endpoint.dialect is Dialect.OPENAI_CHAT
        return passed_to_openrouter(self._fields, model, chat=chat)

    @property
    def _elapsed_ms(self) -> int:
        return (time.monotonic_ns() - self._begun_ns) // _NANOSECONDS_PER_MS

    @property
    def _may_bill(self) -> str:
        return f"the provider may bill up to {self.intent.input_bound} input tokens"

    @property
    def _refused(self) -> Ending:
        status = self._http_status
        if status in _CLIENT_ERRORS:
            why = f"the provider refused the request (HTTP {status}) and reported no usage"
        else:
            why = f"{self._may_bill}: it failed (HTTP {status}) and reported no usage"
        return Ending(Status.FAILED, why)
