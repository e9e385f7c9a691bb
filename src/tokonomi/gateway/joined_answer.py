"""One streamed answer for a client, out of the answers of the targets that took part in it."""

from dataclasses import replace
from typing import Final

import msgspec

from tokonomi.dialects.answer import (
    MALFORMED,
    Cited,
    Event,
    Failed,
    Failure,
    Head,
    ReasoningBegun,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    Started,
    TextBegun,
    TextDelta,
    ToolBegun,
    ToolDelta,
)
from tokonomi.dialects.conversation import Citation
from tokonomi.dialects.destination import EgressName, IngressName
from tokonomi.dialects.dialect import EGRESS, INGRESS
from tokonomi.routing.resume import BREAK, Joint, Resumption, Sent
from tokonomi.usage import Usage

_BAD_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
KEPT_CHARACTERS: Final = 1 << 20
"""An answer that is longer is not taken up; models do not write as much at once."""
_BEYOND_TEXT: Final = (ToolBegun, ToolDelta, RefusalDelta)
_REASONING: Final = (ReasoningBegun, ReasoningDelta, ReasoningSigned)


class JoinedAnswer:
    """The answer of one request whose alias resumes answers.

    Every target's answer is read into the neutral form and written by one writer, so the parts fit
    whatever their providers speak. An error of a provider is kept back: another target may go on.
    """

    __slots__ = (
        "_attempt",
        "_beyond_text",
        "_characters",
        "_ingress",
        "_joint",
        "_last_text",
        "_reader",
        "_structured",
        "_texts",
        "_writer",
        "failure",
        "passed",
    )

    def __init__(self, ingress: IngressName, *, structured: bool) -> None:
        """An answer for a client that speaks `ingress`; `structured` when its form is fixed."""
        self._ingress: IngressName = ingress
        self._structured = structured
        self._joint: Joint | None = None
        self._attempt = 0
        self.failure: Failure | None = None
        """What the present target broke off with."""
        self.passed = False
        """Whether the present target has added anything."""

    def begin(self, egress: EgressName, head: Head) -> None:
        """A target's answer comes: the first one, or another in its place or behind it."""
        self._reader = EGRESS[egress].reader()
        self.failure, self.passed = None, False
        if self._joint is not None:
            return
        self._writer = INGRESS[self._ingress].writer(head)
        self._texts: list[str] = []
        self._characters = self._last_text = 0
        self._beyond_text = False

    @property
    def sent(self) -> Sent:
        """What the client has."""
        return Sent(
            "".join(self._texts), beyond_text=self._beyond_text, structured=self._structured
        )

    def resume(self, resumption: Resumption, *, attempt: int) -> None:
        """The next answer is to take up that of an attempt, which broke off."""
        self._joint, self._attempt = resumption.joint(), attempt

    @property
    def resumes(self) -> Resumption | None:
        """How the present answer takes up another one, when it does."""
        return None if self._joint is None else self._joint.resumption

    @property
    def mark(self) -> str:
        """What the row of the present attempt says; empty for one that takes up nothing."""
        return "" if self._joint is None else self._joint.mark(self._attempt)

    def feed(self, data: bytes) -> bytes:
        """What goes to the client for the data of one event."""
        try:
            events = self._reader.feed(data) if data and self.failure is None else ()
        except _BAD_JSON:
            self.failure = MALFORMED
            return b""
        written = b""
        for event in events:
            if isinstance(event, Failed):
                self.failure = event.failure
                break
            written += self._write(event)
        return written

    def flush(self) -> bytes:
        """What was held as a repetition, and is none, when the text of an answer is at its end."""
        rest = "" if self._joint is None else self._joint.finish()
        return self._go_on(TextDelta(rest)) if rest else b""

    def finish(self, usage: Usage | None) -> bytes:
        """The end of an answer that is whole; the usage is that of its last part."""
        return self._writer.finish(usage)

    def fail(self, failure: Failure) -> bytes:
        """The end of an answer that broke off and is not taken up."""
        return self._writer.fail(failure)

    def _write(self, event: Event) -> bytes:
        if self._joint is None:
            return self._go_on(event)
        held = self.flush() if isinstance(event, _BEYOND_TEXT) else b""
        fitting = self._fitting(event, self._joint)
        return held if fitting is None else held + self._go_on(fitting)

    def _go_on(self, event: Event) -> bytes:
        self._note(event)
        self.passed = True
        return self._writer.write(event)

    def _note(self, event: Event) -> None:
        match event:
            case TextDelta(text=text):
                self._characters += len(text)
                if self._characters <= KEPT_CHARACTERS:
                    self._texts.append(text)
                else:
                    self._beyond_text = True
            case TextBegun():
                self._last_text = self._characters
            case ToolBegun() | ToolDelta() | RefusalDelta():
                self._beyond_text = True
            case _:
                pass

    def _fitting(self, event: Event, joint: Joint) -> Event | None:
        """An event of an answer that takes up another one, as it goes on; None when it does not.

        What was said in thought before the sent text is not thought again.
        """
        sent = joint.resumption.sent.text
        match event:
            case TextDelta(text=text):
                passing = joint.feed(text)
                return TextDelta(passing) if passing else None
            case TextBegun() if sent and not self.passed:
                return None
            case Cited(citation=citation):
                return Cited(self._moved(citation, joint))
            case Started():
                return None
            case _:
                return None if sent and isinstance(event, _REASONING) else event

    def _moved(self, citation: Citation, joint: Joint) -> Citation:
        """A citation of a part, with its place in the joined text."""
        before = len(joint.resumption.sent.text) - self._last_text
        moved = max(before + (len(BREAK) if joint.parted else 0) - joint.dropped, 0)
        return replace(citation, start=citation.start + moved, end=citation.end + moved)
