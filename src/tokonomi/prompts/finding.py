"""What an analysis finds, and the pieces of a prompt that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tokonomi.prompts.place import Place
from tokonomi.prompts.request import Part


class Kind(StrEnum):
    """What a finding is of."""

    DEFAULT = "default_instruction"
    """An instruction that models follow without being told."""
    REPEATED = "repeated_instruction"
    """A sentence that says what an earlier one said."""
    EXAMPLE = "verbose_example"
    """An example longer than the limit; what it may save is what goes beyond that."""
    VOLATILE = "volatile_text"
    """Text that differs from call to call before text that does not."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of a prompt, in rendered order.

    Attributes:
        tokens: what it is counted as; the pieces of a message add up to the message's own count.
        part: the part that it belongs to.
        in_prefix: whether it stands before the first turn.
        volatile: whether it differs from call to call, and so ends what a cache can hold.
    """

    tokens: int
    part: Part
    in_prefix: bool = True
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. Nothing is ever rewritten: it says where to look and what that would save.

    Attributes:
        kind: what it is of.
        rule: the rule that found it.
        place: where it stands in the file.
        text: what stands there.
        part: the part of the prompt.
        tokens: of the text.
        saved_tokens: tokens that a call would not send any more; 0 for volatile text, which moves.
        pieces: numbers of its pieces, from the first to behind the last.
        certain: whether it is taken to be so; the others are only shown.
        repeats: the place of the sentence that it repeats.
        similarity_percent: how alike that sentence is.
        differing: requests in which something else stands there.
        instead: what stands there in one of them.
        behind_tokens: fixed tokens behind volatile text, up to the next volatile text.
    """

    kind: Kind
    rule: str
    place: Place
    text: str
    part: Part
    tokens: int
    saved_tokens: int
    pieces: tuple[int, int]
    certain: bool = True
    repeats: Place | None = None
    similarity_percent: int = 0
    differing: int = 0
    instead: str = ""
    behind_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Analysis:
    """A prompt as it is, and what was found in it.

    Attributes:
        name: of the file.
        parts: tokens by part; parts without tokens are there with 0.
        pieces: all of its text.
        findings: disjoint, in the order of their places.
        requests: how many requests of this prompt were read.
        left_out: how many further ones have another prompt.
        model: the model that the first request names, or empty.
        marked: whether it marks its prefix for a cache; None where the form cannot say.
        uncounted: images and the like in the first request.
    """

    name: str
    pieces: tuple[Piece, ...]
    findings: tuple[Finding, ...]
    parts: Mapping[Part, int] = field(default_factory=dict[Part, int], hash=False)
    requests: int = 1
    left_out: int = 0
    model: str = ""
    marked: bool | None = None
    uncounted: int = 0

    @property
    def tokens(self) -> int:
        """All tokens of a request."""
        return sum(piece.tokens for piece in self.pieces)

    @property
    def prefix_tokens(self) -> int:
        """Tokens before the first text that differs, or before the first turn."""
        return prefix_tokens(self.pieces)

    @property
    def saved_tokens(self) -> int:
        """Tokens of each call that all findings together would save."""
        return sum(finding.saved_tokens for finding in self.findings)


def prefix_tokens(pieces: Sequence[Piece]) -> int:
    """Tokens of the pieces before the first that is volatile or no longer in the prefix."""
    total = 0
    for piece in pieces:
        if piece.volatile or not piece.in_prefix:
            break
        total += piece.tokens
    return total
