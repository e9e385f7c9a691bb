"""What every dialect offers for answers: readers of a provider's, writers of a client's."""

from collections.abc import Sequence
from typing import Protocol

from tokonomi.dialects.answer import Answer, Event, Failure
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


class WholeWriter(Protocol):
    """Writes a whole answer."""

    def __call__(self, answer: Answer, usage: Usage | None) -> bytes:
        """The body of the answer."""
        ...
