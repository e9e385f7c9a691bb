"""An answer in our own neutral form: as it streams, and as the whole that the stream adds up to.

A whole reply is read into the same events as a stream. So there is one reading of each dialect,
and a streamed answer cannot say anything else than the same answer sent at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from tokonomi.dialects.conversation import (
    Citation,
    Part,
    Reasoning,
    ReasoningKind,
    Refusal,
    Text,
    ToolCall,
)

Finish = Literal[
    "stop", "stop_sequence", "length", "tool_calls", "filtered", "context_full", "paused"
]
"""Why an answer ended. `filtered` is a provider's policy, `context_full` the model's window."""

ErrorKind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "billing",
    "not_found",
    "too_large",
    "rate_limit",
    "overloaded",
    "timeout",
    "server",
]


class Started(msgspec.Struct, frozen=True):
    """The provider began to answer; what it does not say is empty."""

    id: str = ""
    model: str = ""
    created: int = 0


class TextBegun(msgspec.Struct, frozen=True):
    """A new piece of text begins; without this event text goes on the last piece."""


class TextDelta(msgspec.Struct, frozen=True):
    """More text."""

    text: str


class Cited(msgspec.Struct, frozen=True):
    """A source of the last piece of text."""

    citation: Citation


class ReasoningBegun(msgspec.Struct, frozen=True):
    """A new piece of reasoning begins."""

    kind: ReasoningKind = "text"
    maker: str = ""
    id: str = ""


class ReasoningDelta(msgspec.Struct, frozen=True):
    """More of the reasoning that began last."""

    text: str


class ReasoningSigned(msgspec.Struct, frozen=True):
    """The maker's proof of the reasoning that began last."""

    signature: str
    maker: str = ""


class ToolBegun(msgspec.Struct, frozen=True):
    """The model calls a tool."""

    id: str
    name: str


class ToolDelta(msgspec.Struct, frozen=True):
    """More of the arguments of the call that began last, as JSON text."""

    arguments: str


class RefusalDelta(msgspec.Struct, frozen=True):
    """More of the model's words for not answering."""

    text: str


class Finished(msgspec.Struct, frozen=True):
    """The answer is at its end."""

    reason: Finish
    stop_sequence: str = ""


class Failure(msgspec.Struct, frozen=True):
    """An error of a provider, or of ours.

    Attributes:
        status: HTTP status that says it.
        kind: what sort of error it is, in no dialect's words.
        message: what happened, for a person.
        code: a stable word that a program may test, where there is one.
        param: the part of the request that is wrong, where the provider names it.
    """

    status: int
    kind: ErrorKind
    message: str
    code: str = ""
    param: str = ""


MALFORMED: Final = Failure(
    502,
    "server",
    "The provider's answer is not what its interface describes.",
    "malformed_reply",
)
"""An answer that cannot be read, or whose pieces do not belong together."""


class Failed(msgspec.Struct, frozen=True):
    """The provider broke off with an error."""

    failure: Failure


Event = (
    Started
    | TextBegun
    | TextDelta
    | Cited
    | ReasoningBegun
    | ReasoningDelta
    | ReasoningSigned
    | ToolBegun
    | ToolDelta
    | RefusalDelta
    | Finished
    | Failed
)


def made_up_id(answer_id: str, number: int) -> str:
    """An id for a tool call of a provider that gives none; no other call of the client has it.

    >>> made_up_id("r-1", 0)
    'call_r-1_0'
    """
    return f"call_{answer_id}_{number}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `finish` is `None` while it is not at its end."""

    id: str = ""
    model: str = ""
    created: int = 0
    parts: tuple[Part, ...] = ()
    finish: Finish | None = None
    stop_sequence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an answer says of itself where the provider says nothing, and what the client asked for.

    Attributes:
        id: a name of the answer.
        model: the model's name.
        created: seconds since 1970.
        wants_usage: whether the client wants the usage at the end of a stream of chunks.
        fields: the client's request, of which OpenAI's responses repeat a part.
    """

    id: str
    model: str
    created: int
    wants_usage: bool = False
    fields: Mapping[str, msgspec.Raw] = field(default_factory=dict[str, msgspec.Raw])

    def named(self, started: Started) -> Started:
        """What the provider says of its answer, completed."""
        return Started(
            started.id or self.id, started.model or self.model, started.created or self.created
        )


@dataclass(slots=True)
class _Open:
    """A part that is still growing: the event that began it, and its text so far."""

    begun: TextBegun | ReasoningBegun | ToolBegun | RefusalDelta
    pieces: list[str] = field(default_factory=list[str])
    citations: list[Citation] = field(default_factory=list[Citation])
    signed: ReasoningSigned | None = None

    def part(self) -> Part:
        """The part as far as it has come."""
        text = "".join(self.pieces)
        match self.begun:
            case TextBegun():
                return Text(text, tuple(self.citations))
            case ToolBegun(id=name, name=tool):
                return ToolCall(name, tool, text)
            case RefusalDelta():
                return Refusal(text)
            case ReasoningBegun(kind=kind, maker=maker, id=name):
                signed = self.signed or ReasoningSigned("")
                return Reasoning(kind, text, signed.signature, signed.maker or maker, name)


class Assembly:
    """Adds the events of an answer up to the whole."""

    __slots__ = ("_finished", "_parts", "_started", "failure")

    def __init__(self) -> None:
        self._started = Started()
        self._finished: Finished | None = None
        self._parts: list[_Open] = []
        self.failure: Failure | None = None
        """What the provider broke off with."""

    def add(self, event: Event) -> None:  # noqa: C901 - one case for each kind of event
        """Takes note of one more event."""
        match event:
            case TextDelta(text=text):
                self._last_text().pieces.append(text)
            case ReasoningDelta(text=text) | ToolDelta(arguments=text):
                self._parts[-1].pieces.append(text)
            case Started():
                self._started = event
            case TextBegun() | ReasoningBegun() | ToolBegun():
                self._parts.append(_Open(event))
            case RefusalDelta(text=text):
                if not self._parts or not isinstance(self._parts[-1].begun, RefusalDelta):
                    self._parts.append(_Open(event))
                self._parts[-1].pieces.append(text)
            case Cited(citation=citation):
                self._cited_text().citations.append(citation)
            case ReasoningSigned():
                self._parts[-1].signed = event
            case Finished():
                self._finished = event
            case Failed(failure=failure):
                self.failure = failure

    def answer(self) -> Answer:
        """What has come so far."""
        started, finished = self._started, self._finished
        return Answer(
            started.id,
            started.model,
            started.created,
            tuple(each.part() for each in self._parts),
            finished.reason if finished else None,
            finished.stop_sequence if finished else "",
        )

    def _last_text(self) -> _Open:
        if not self._parts or not isinstance(self._parts[-1].begun, TextBegun):
            self._parts.append(_Open(TextBegun()))
        return self._parts[-1]

    def _cited_text(self) -> _Open:
        """The last text; sources may come after what follows it."""
        texts = (each for each in reversed(self._parts) if isinstance(each.begun, TextBegun))
        return next(texts, None) or self._last_text()


def events_of(answer: Answer) -> Iterator[Event]:
    """The events that add up to a whole answer."""
    yield Started(answer.id, answer.model, answer.created)
    for part in answer.parts:
        yield from _events_of_part(part)
    if answer.finish is not None:
        yield Finished(answer.finish, answer.stop_sequence)


def _events_of_part(part: Part) -> Iterator[Event]:
    match part:
        case Text(text=text, citations=citations):
            yield TextBegun()
            if text:
                yield TextDelta(text)
            yield from map(Cited, citations)
        case Reasoning(kind=kind, text=text, signature=signature, maker=maker, id=name):
            yield ReasoningBegun(kind, maker, name)
            if text:
                yield ReasoningDelta(text)
            if signature:
                yield ReasoningSigned(signature, maker)
        case ToolCall(id=name, name=tool, arguments=arguments):
            yield ToolBegun(name, tool)
            if arguments:
                yield ToolDelta(arguments)
        case Refusal(text=text):
            yield RefusalDelta(text)
        case _:
            raise AssertionError(f"{type(part).__name__} is no part of an answer")


def assembled(events: Iterable[Event]) -> Assembly:
    """The sum of the events of an answer."""
    assembly = Assembly()
    for event in events:
        assembly.add(event)
    return assembly
