"""One line a request: who asked for what, where it went, what it used and cost, and how long.

No prompt, no answer and no secret is in it. What a client wrote, which is the model's name alone,
cannot end a line or pose as another field. Lines are made and handed on together, many times a
second: a gateway that is killed loses those of the last moment. The calls themselves are in the
store.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final

import msgspec

from tokonomi.calls import Call
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.logs import LogFormat, plain
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge
from tokonomi.usage import Usage

FLUSH_SECONDS: Final = 0.05
_MOST_WAITING: Final = 256
_NANOSECONDS_PER_MS: Final = 1_000_000
_NANOSECONDS_PER_US: Final = 1_000
_MS_PER_SECOND: Final = 1_000
_US_PER_SECOND: Final = 1_000_000
_total_input: Final = attrgetter("total_input")
_total_output: Final = attrgetter("total_output")
_encode: Final = msgspec.json.Encoder().encode

Write = Callable[[bytes], object]


class AccessLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said of one request. What is not known is left out.

    Attributes:
        at: instant of its end, in UTC; what a line of text says of it.
        route: method and path.
        status: the HTTP status that the client got; 0 when it left before there was one.
        ms: milliseconds from its arrival to its end.
        request_id: its id, as the store and reports name it.
        key_id: the virtual key.
        alias: the model as it was asked for.
        target: provider and model of the last attempt.
        attempts: how many there were.
        outcome: how the last attempt ended.
        input_tokens: of all attempts together.
        output_tokens: of all attempts together.
        cost: exact, of all attempts together, with its currency; or `unpriced`. What got nothing to
            its provider costs nothing.
        first_token_ms: milliseconds to the first content of a stream.
        refused: the code of the gateway's own error.
    """

    at: datetime | str
    level: str = "access"
    route: str
    status: int
    ms: int
    request_id: str = ""
    key_id: str = ""
    alias: str = ""
    target: str = ""
    attempts: int = 0
    outcome: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str = ""
    first_token_ms: int | None = None
    refused: str = ""


class AccessLog:
    """Writes the lines; an observer of requests, which keep their calls."""

    def __init__(self, form: LogFormat, write: Write) -> None:
        self._line = _json_line if form == "json" else _text_line
        self._write = write
        self._ended: list[tuple[Asked, int, int]] = []
        self._loop = asyncio.get_running_loop()

    def request_ended(self, asked: Asked) -> None:
        """Puts the request to those whose lines are written next.

        One after the other, lines are made in a third of the time that each takes in between.
        """
        if not self._ended:
            self._loop.call_later(FLUSH_SECONDS, self.flush)
        self._ended.append((asked, time.time_ns(), asked.elapsed_ms))
        if len(self._ended) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if self._ended:
            ended, self._ended = self._ended, []
            self._write(b"".join([self._line(*each) for each in ended]))


def _line_of(asked: Asked, at: datetime | str, ms: int) -> AccessLine:
    """What is said of a request that ended at an instant, after so many milliseconds."""
    calls = asked.calls
    last = calls[-1] if calls else None
    used = [call.usage for call in calls if isinstance(call.usage, Usage)]
    return AccessLine(
        at=at,
        route=asked.route,
        status=asked.status,
        ms=ms,
        request_id=asked.id,
        key_id=asked.key_id,
        alias=plain(asked.alias),
        target=_target(last) if last else "",
        attempts=len(calls),
        outcome=last.status if last else "",
        input_tokens=sum(map(_total_input, used)) if used else None,
        output_tokens=sum(map(_total_output, used)) if used else None,
        cost=_cost(calls, asked.unsent),
        first_token_ms=last.first_token_ms if last else None,
        refused=asked.refused,
    )


def _target(call: Call) -> str:
    return plain(f"{call.intent.dimensions.provider}/{call.model_served}")


def _cost(calls: Sequence[Call], unsent: int) -> str:
    """The sums by currency; a call without a cost is said, and never counted as 0.

    Of those without a cost so many were not sent, and are no spend.
    """
    if not calls:
        return ""
    if len(calls) == 1 and isinstance(cost := calls[0].cost, Charge):
        return str(cost.total)
    sums: defaultdict[str, int] = defaultdict(int)
    unpriced = -unsent
    for call in calls:
        if isinstance(call.cost, Charge):
            sums[call.cost.currency] += call.cost.sub_units
        else:
            unpriced += 1
    words = [str(Money(sub_units, currency)) for currency, sub_units in sums.items()]
    return " + ".join([*words, *["unpriced"] * (unpriced > 0)])


def _json_line(asked: Asked, at_ns: int, ms: int) -> bytes:
    at = datetime.fromtimestamp(at_ns // _NANOSECONDS_PER_US / _US_PER_SECOND, UTC)
    return _encode(_line_of(asked, at, ms)) + b"\n"


def _text_line(asked: Asked, at_ns: int, ms: int) -> bytes:
    """The line, one field after the other: a loop over their names takes three times as long."""
    seconds, at_ms = divmod(at_ns // _NANOSECONDS_PER_MS, _MS_PER_SECOND)
    line = _line_of(asked, f"{_second(seconds)},{at_ms:03d}", ms)
    text = f"{line.at} ACCESS {line.route} status={line.status} ms={line.ms}"
    if line.request_id:
        text += f" request_id={line.request_id}"
    if line.key_id:
        text += f" key_id={line.key_id}"
    if line.alias:
        text += f" alias={_name(line.alias)}"
    if line.target:
        text += f" target={_name(line.target)}"
    text += f" attempts={line.attempts}"
    if line.outcome:
        text += f" outcome={line.outcome}"
    if line.input_tokens is not None:
        text += f" input_tokens={line.input_tokens} output_tokens={line.output_tokens}"
    if line.cost:
        text += f" cost={_quoted(line.cost)}"
    if line.first_token_ms is not None:
        text += f" first_token_ms={line.first_token_ms}"
    if line.refused:
        text += f" refused={line.refused}"
    return text.encode() + b"\n"


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    """A second in UTC, which many lines have in common."""
    return f"{datetime.fromtimestamp(since_1970, UTC):%Y-%m-%d %H:%M:%S}"


_is_bare: Final = re.compile(r'[^ "=\\]*').fullmatch


def _quoted(text: str) -> str:
    """The text, in quotes where it could be taken for more than one value."""
    return text if _is_bare(text) else _encode(text).decode()


_name: Final = lru_cache(maxsize=1_000)(_quoted)
"""The same of a model's name, of which there are few, each in many lines."""
