"""What every dialect offers: as what clients speak, and as what providers speak."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tokonomi.dialects.answer import Answer, Event, Failure, Head
from tokonomi.dialects.conversation import Conversation
from tokonomi.dialects.destination import Destination
from tokonomi.dialects.fields import Fields
from tokonomi.dialects.refusal import Dropped, Limit, Rule
from tokonomi.usage import Usage


class Reader(Protocol):
    """One answer being read: the data of each event of a stream, or the whole."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """What one event of the stream says, by its data.

        Raises:
            msgspec.MsgspecError: it is not what the dialect describes.
        """
        ...

    def whole(self, body: bytes) -> Sequence[Event]:
        """What a whole answer says.

        Raises:
            msgspec.MsgspecError: it is not what the dialect describes.
        """
        ...


class Writer(Protocol):
    """One answer being written as a stream."""

    def write(self, event: Event) -> bytes:
        """What goes to the client for one event."""
        ...

    def finish(self, usage: Usage | None) -> bytes:
        """The end of an answer that is whole."""
        ...

    def fail(self, failure: Failure) -> bytes:
        """The end of an answer that broke off: an error in the stream, never a silent end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """What clients speak.

    Attributes:
        rules: every field of a request that is known, and what becomes of it.
        read: the request that the carried fields state.
        write_whole: the body of an answer.
        writer: writes an answer as a stream.
        write_error: the body of an answer that is an error.
    """

    rules: Mapping[str, Rule]
    read: Callable[[Fields, list[Dropped]], Conversation]
    write_whole: Callable[[Answer, Usage | None, Head], bytes]
    writer: Callable[[Head], Writer]
    write_error: Callable[[Failure], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """What providers speak.

    Attributes:
        limits: the features that a destination cannot be told, and what becomes of them.
        write: the body of a request.
        reader: reads an answer, whole or streamed.
        read_error: the error that a reply with an error's status states.
    """

    limits: Callable[[Destination], Mapping[str, Limit]]
    write: Callable[[Conversation, Destination, list[Dropped]], dict[str, object]]
    reader: Callable[[], Reader]
    read_error: Callable[[int, bytes], Failure]
