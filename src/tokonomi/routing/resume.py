"""Resuming an answer that broke off: whether, how it is asked for, and how the parts are joined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from tokonomi.routing.chain import How
from tokonomi.routing.provider import PrefixForm

BREAK: Final = "\n\n"
"""What stands between the part that was sent and an answer that went another way."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the client has of an answer.

    Attributes:
        text: its text.
        beyond_text: whether anything but text and reasoning is among it, such as half a tool call.
        structured: whether the answer must be of a form, such as a JSON schema.
    """

    text: str
    beyond_text: bool = False
    structured: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a request needs so that its answer begins where another one broke off.

    Attributes:
        message: goes behind the messages of the request.
        fields: go into its body besides.
    """

    message: Mapping[str, object]
    fields: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Resumption:
    """How an answer is resumed.

    Attributes:
        sent: what the client has.
        prefix: what the request needs to continue that; None to begin anew.
        echoed: whether the provider repeats a given beginning before it continues.
    """

    sent: Sent
    prefix: Prefix | None = None
    echoed: bool = False

    def joint(self) -> "Joint":
        """What joins the new answer to what was sent."""
        return Joint(self)


def resumption(sent: Sent, how: How, form: PrefixForm) -> Resumption | None:
    """How a target resumes an answer; None when the client would not get one whole answer.

    Half of a tool call has no text to continue from. An answer of a fixed form can be continued,
    but a second beginning would break its form.

    Args:
        sent: what the client has.
        how: what the chain says: continue, or restart.
        form: how the target takes a beginning.

    >>> resumption(Sent("Jakarta is "), How.CONTINUE, "trailing").prefix.message
    {'role': 'assistant', 'content': 'Jakarta is'}
    >>> resumption(Sent('{"city": "Band', structured=True), How.RESTART, "none") is None
    True
    """
    if sent.beyond_text:
        return None
    prefix = _prefix(sent.text.rstrip(), form) if how is How.CONTINUE else None
    if prefix is None and sent.structured and sent.text:
        return None
    return Resumption(sent, prefix, echoed=form == "echoed")


def _prefix(text: str, form: PrefixForm) -> Prefix | None:
    """The beginning of an answer as a provider takes it; none takes one that ends with space."""
    if not text:
        return None
    message: dict[str, object] = {"role": "assistant", "content": text}
    match form:
        case "none":
            return None
        case "trailing":
            return Prefix(message)
        case "flagged" | "echoed":
            return Prefix({**message, "prefix": True})
        case "vllm":
            # The last message is completed when no new turn is opened behind it.
            fields = {"continue_final_message": True, "add_generation_prompt": False}
            return Prefix(message, fields)
        case _:
            assert_never(form)


@dataclass(slots=True)
class Joint:
    r"""Joins a resumed answer to what was sent: new text in, text for the client out.

    What repeats the sent text is dropped. When an answer that began anew goes another way, nothing
    that was sent can be taken back: the new one follows whole, after a blank line.

    >>> joint = Resumption(Sent("Jakarta is the")).joint()
    >>> [joint.feed("Jakarta is"), joint.feed(" the capital"), joint.feed(".")]
    ['', ' capital', '.']
    >>> joint = Resumption(Sent("Jakarta is the")).joint()
    >>> [joint.feed("Jakarta"), joint.feed(" was once"), joint.feed(" called")]
    ['', '\n\nJakarta was once', ' called']

    Attributes:
        resumption: how the answer is resumed.
        dropped: characters of it that repeated what was sent.
        parted: whether it went another way.
    """

    resumption: Resumption
    dropped: int = 0
    parted: bool = False
    _held: str = field(default="", init=False)
    _joined: bool = field(default=False, init=False)

    def feed(self, text: str) -> str:
        """What may go on to the client now; a text that may still be a repetition is held."""
        if self._joined:
            return text
        self._held += text
        passing = self._repeated() if self.resumption.prefix is None else self._continued()
        if passing is None:
            return ""
        self._joined = True
        return passing

    def finish(self) -> str:
        """What goes on when the answer has ended, of what was held as a repetition.

        An answer that ended before it had repeated all that was sent went another way.
        """
        if self._joined:
            return ""
        self._joined = True
        if self.resumption.prefix is not None or not self._held:
            return ""
        self.parted = True
        return BREAK + self._held

    def mark(self, attempt: int) -> str:
        """What the row of the new attempt says, once the answer has ended.

        Args:
            attempt: the number of the attempt whose answer broke off.
        """
        characters = len(self.resumption.sent.text)
        continues = self.resumption.prefix is not None
        if not self._joined:
            what = "continue" if continues else "begin anew"
            return f"it was to {what} behind {characters} characters of attempt {attempt}"
        if continues:
            return f"it continues attempt {attempt} behind {characters} characters"
        if self.parted:
            return f"it begins anew behind {characters} characters of attempt {attempt}"
        return f"it repeats attempt {attempt} and goes on behind {characters} characters"

    def _repeated(self) -> str | None:
        """The text behind a repetition of all that was sent, or all text when it is none."""
        sent, held = self.resumption.sent.text, self._held
        if len(held) < len(sent) and sent.startswith(held):
            return None
        if held.startswith(sent):
            self.dropped = len(sent)
            return held[len(sent) :]
        self.parted = True
        return BREAK + held

    def _continued(self) -> str | None:
        """The continuation, without the beginning where that is echoed, or the space of its end.

        The given beginning had lost the space at its end, so the model may write it again.
        """
        sent = self.resumption.sent.text
        stem = sent.rstrip()
        space = sent[len(stem) :]
        held = self._held
        if self.resumption.echoed:
            if len(held) < len(stem) and stem.startswith(held):
                return None
            held = held.removeprefix(stem)
        if len(held) < len(space) and space.startswith(held):
            return None
        rest = held[_common(held, space) :]
        self.dropped = len(self._held) - len(rest)
        return rest


def resumed_by(attempt: int) -> str:
    """What the row of an attempt whose answer broke off says, when another one takes it up."""
    return f"attempt {attempt} is to resume its answer"


def _common(one: str, other: str) -> int:
    """The length of the beginning that two texts share."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
