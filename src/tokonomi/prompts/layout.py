"""The text of a request cut into pieces whose tokens add up."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tokonomi.prompts.finding import Piece
from tokonomi.prompts.reading import Text
from tokonomi.prompts.units import unit_at

Count = Callable[[str], int]
"""Tells how many tokens a text is: never negative."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A text cut into pieces.

    Attributes:
        text: the text.
        spans: of its volatile text, each with the blank before it, from cut to cut.
        cuts: where the pieces begin, and the end of the last one.
        pieces: one for each cut but the last.
        first: number of the first piece among those of all texts.
    """

    text: Text
    spans: tuple[tuple[int, int], ...]
    cuts: tuple[int, ...]
    pieces: tuple[Piece, ...]
    first: int

    def numbers(self, start: int, end: int) -> tuple[int, int]:
        """Numbers of the pieces from cut to cut: of the first, and behind the last."""
        return (
            self.first + bisect_left(self.cuts, start),
            self.first + bisect_left(self.cuts, end),
        )

    def tokens(self, start: int, end: int) -> int:
        """Tokens from cut to cut."""
        low, high = self.numbers(start, end)
        return sum(piece.tokens for piece in self.pieces[low - self.first : high - self.first])


def laid_out(texts: Sequence[Text], count: Count) -> tuple[Laid, ...]:
    """The texts cut where units and volatile spans begin and end."""
    laid: list[Laid] = []
    first = 0
    for text in texts:
        spans = tuple(_spans(text))
        cuts = _cuts(text, spans)
        tokens = allotted(text.passage.text, cuts, count)
        pieces = tuple(_pieces(text, spans, cuts, tokens))
        laid.append(Laid(text, spans, cuts, pieces, first))
        first += len(pieces)
    return tuple(laid)


def _spans(text: Text) -> Iterator[tuple[int, int]]:
    """The volatile spans, each with the one blank before it that belongs to no other.

    Vocabularies begin a word with the blank before it, so that a cut there parts tokens least.
    """
    taken = {unit.start for unit in text.units} | {span.end for span in text.volatile}
    for span in text.volatile:
        blank = span.start > 0 and text.passage.text[span.start - 1] == " "
        yield (span.start - 1 if blank and span.start not in taken else span.start), span.end


def _cuts(text: Text, spans: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    cuts = {unit.start for unit in text.units} | {len(text.passage.text)}
    return tuple(sorted(cuts.union(*spans)))


def allotted(text: str, cuts: Sequence[int], count: Count) -> list[int]:
    """Tokens of each piece of a text, which add up to the count of the whole text.

    Counted one by one, pieces may be some tokens more than the whole, whose tokens they cut; the
    whole count is shared out in proportion.

    >>> allotted("one two", (0, 3, 7), lambda text: len(text.split()))
    [1, 1]
    """
    whole = count(text)
    single = [count(text[start:end]) for start, end in pairwise(cuts)]
    every = sum(single)
    if every == whole:
        return single
    if not every:
        return [*single[:-1], whole]
    shared: list[int] = []
    seen = given = 0
    for tokens in single:
        seen += tokens
        shared.append(whole * seen // every - given)
        given += shared[-1]
    return shared


def _pieces(
    text: Text, spans: Sequence[tuple[int, int]], cuts: Sequence[int], tokens: Sequence[int]
) -> Iterator[Piece]:
    volatile = {
        cut
        for span, (low, high) in zip(text.volatile, spans, strict=True)
        if span.certain
        for cut in cuts[bisect_left(cuts, low) : bisect_left(cuts, high)]
    }
    for start, own in zip(cuts, tokens, strict=False):
        part = unit_at(text.units, start).part
        yield Piece(own, part, text.in_prefix, start in volatile)
