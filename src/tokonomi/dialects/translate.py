"""The room's door: requests and answers carried from one dialect into another.

The same dialect in and out needs none of this: it passes byte for byte.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from tokonomi.dialects.addresses import path_of
from tokonomi.dialects.answer import MALFORMED, Event, Failed, Failure, Finished, Head, assembled
from tokonomi.dialects.conversation import (
    FEATURES,
    PARTS,
    Conversation,
    Message,
    Part,
    said,
)
from tokonomi.dialects.destination import Destination, EgressName, IngressName, Outgoing
from tokonomi.dialects.dialect import EGRESS, INGRESS
from tokonomi.dialects.fields import Fields, decoded
from tokonomi.dialects.refusal import (
    SAYS_THE_DEFAULT,
    CannotCarry,
    Carried,
    Dropped,
    Hint,
    Refused,
    Rule,
    Untranslatable,
    judge,
)
from tokonomi.dialects.sse import encode
from tokonomi.usage import Usage

_BAD_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def request(
    ingress: IngressName, fields: Mapping[str, msgspec.Raw], to: Destination
) -> Outgoing | Untranslatable:
    """A client's request as its destination takes it, or what of it cannot be said there.

    Args:
        ingress: what the client speaks; another dialect than the destination's.
        fields: the top level of the client's body.
        to: where it goes.
    """
    assert ingress != to.dialect, "the same dialect passes byte for byte"
    dropped: list[Dropped] = []
    try:
        conversation = read_request(ingress, fields, dropped)
    except CannotCarry as stopped:
        return stopped.refusal
    names = _names(INGRESS[ingress].rules, fields)
    try:
        sayable = _without_what_cannot_be_said(conversation, to, dropped)
        body = encode(EGRESS[to.dialect].write(sayable, to, dropped))
    except CannotCarry as stopped:
        refusal = stopped.refusal
        return replace(refusal, path=_as_written(refusal.path, names))
    listed = (replace(each, path=_as_written(each.path, names)) for each in dropped)
    path = path_of(to, stream=conversation.stream)
    return Outgoing(path, body, tuple(dict.fromkeys(listed)))


def read_request(
    ingress: IngressName, fields: Mapping[str, msgspec.Raw], dropped: list[Dropped]
) -> Conversation:
    """A client's request in our neutral form; what says nothing about the answer is listed.

    Raises:
        CannotCarry: a part of it has no place there.
    """
    dialect = INGRESS[ingress]
    carried: dict[str, object] = {}
    for name, raw in fields.items():
        value = decoded(name, raw)
        if value is not None and judge(name, value, dialect.rules, dropped) is not None:
            carried[name] = value
    reading = Fields(carried, "")
    conversation = dialect.read(reading, dropped)
    reading.done()
    for message in conversation.messages:
        _check_parts(message)
    return conversation


def _check_parts(message: Message) -> None:
    for part in message.parts:
        if not isinstance(part, PARTS[message.role]):
            belongs = " or ".join(role for role, parts in PARTS.items() if type(part) in parts)
            raise CannotCarry(
                message.at,
                f"is a turn of the role {message.role}, where no {_kind(part)} can stand",
                f"Put it into a turn of the role {belongs}.",
            )


def _kind(part: Part) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(part).__name__).lower()


def reply(
    ingress: IngressName, egress: EgressName, body: bytes, *, usage: Usage | None, head: Head
) -> bytes | Failure:
    """A provider's whole answer as the client expects it, or why it is none.

    Args:
        ingress: what the client speaks.
        egress: what the provider speaks.
        body: the provider's, with a status of success.
        usage: what the answer consumed, where it is known.
        head: what the answer says of itself where the provider says nothing.
    """
    try:
        assembly = assembled(EGRESS[egress].reader().whole(body))
    except _BAD_JSON:
        return MALFORMED
    if assembly.failure is not None:
        return assembly.failure
    answer = assembly.answer()
    if answer.finish is None:
        return MALFORMED
    try:
        return INGRESS[ingress].write_whole(answer, usage, head)
    except CannotCarry:
        return MALFORMED


def error(
    ingress: IngressName, egress: EgressName, status: int, body: bytes
) -> tuple[Failure, bytes]:
    """A provider's error, and the body that says it as the client expects it."""
    failure = EGRESS[egress].read_error(status, body)
    return failure, INGRESS[ingress].write_error(failure)


def error_body(ingress: IngressName, failure: Failure) -> bytes:
    """The body of an error of ours, as the client expects it."""
    return INGRESS[ingress].write_error(failure)


class StreamTranslator:
    """Carries one streamed answer across: the data of the provider's events in, bytes out."""

    __slots__ = ("_reader", "_writer", "content_begun", "failure", "finished")

    def __init__(self, ingress: IngressName, egress: EgressName, head: Head) -> None:
        """Writes for a client that speaks `ingress` what a provider says in `egress`."""
        self._reader = EGRESS[egress].reader()
        self._writer = INGRESS[ingress].writer(head)
        self.content_begun = False
        """Whether any content has come, after which another provider cannot begin again."""
        self.finished = False
        """Whether the provider said that the answer is at its end."""
        self.failure: Failure | None = None
        """What the answer broke off with; after it there is nothing more to send."""

    def feed(self, data: bytes) -> bytes:
        """What goes to the client for the data of one whole event.

        When the provider sends an error, or what cannot be read, this is the error in the client's
        dialect; `failure` tells it.
        """
        try:
            events = self._reader.feed(data) if data and self.failure is None else ()
        except _BAD_JSON:
            return self.fail(MALFORMED)
        written = b""
        for event in events:
            written += self._write(event)
        return written

    def _write(self, event: Event) -> bytes:
        match event:
            case Failed(failure=failure):
                return self.fail(failure)
            case _ if self.failure is not None:
                return b""
            case Finished():
                self.finished = True
            case _ if not self.content_begun:
                self.content_begun = type(event).__name__ not in _BEFORE_CONTENT
            case _:
                pass
        return self._writer.write(event)

    def finish(self, usage: Usage | None) -> bytes:
        """The end of an answer that is whole, with what it consumed."""
        assert self.failure is None, "an answer that broke off has had its end"
        return self._writer.finish(usage)

    def fail(self, failure: Failure) -> bytes:
        """The end of an answer that broke off, also for a reason of ours; an error, once."""
        if self.failure is not None:
            return b""
        self.failure = failure
        return self._writer.fail(failure)


_BEFORE_CONTENT: Final = frozenset({"Started", "TextBegun"})


def _without_what_cannot_be_said(
    conversation: Conversation, to: Destination, dropped: list[Dropped]
) -> Conversation:
    """The request without what the destination's limits drop.

    Raises:
        CannotCarry: they refuse something.
    """
    limits = EGRESS[to.dialect].limits(to)
    lost: list[str] = []
    for feature in said(conversation):
        match limits.get(feature):
            case None:
                continue
            case Hint(reason):
                dropped.append(Dropped(feature, reason))
            case Refused(why, remedy, harmless):
                if getattr(conversation, feature) not in harmless:
                    raise CannotCarry(feature, why, remedy)
                dropped.append(Dropped(feature, SAYS_THE_DEFAULT))
        lost.append(feature)
    empty = Conversation(messages=())
    return replace(conversation, **{name: getattr(empty, name) for name in lost})


def _names(rules: Mapping[str, Rule], fields: Mapping[str, msgspec.Raw]) -> Mapping[str, str]:
    """The client's own word for each feature that its request uses."""
    return {
        feature: name
        for name in reversed(tuple(fields))
        if isinstance(rule := rules.get(name), Carried)
        for feature in (rule.feature, rule.also)
    }


def _as_written(path: str, names: Mapping[str, str]) -> str:
    """A path that begins with a feature, in the client's words."""
    feature, dot, rest = path.partition(".")
    return f"{names.get(feature, feature)}{dot}{rest}" if feature in FEATURES else path
