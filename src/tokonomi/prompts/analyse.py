"""Analyses a prompt: tokens by part, and findings with their places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from tokonomi.prompts.examples import examples_in
from tokonomi.prompts.finding import Analysis, Finding, Kind, Piece
from tokonomi.prompts.layout import Count, Laid, laid_out
from tokonomi.prompts.place import Lines
from tokonomi.prompts.reading import read
from tokonomi.prompts.repeated import repetitions
from tokonomi.prompts.request import Part, PromptFile, Request, with_instructions
from tokonomi.prompts.rules import Rules
from tokonomi.prompts.units import Unit, sentence_of, unit_at

_COMPARED: Final = frozenset({Part.SYSTEM, Part.DOCUMENTS})
"""Parts in which a repeated sentence is a finding; examples and tools repeat words on purpose."""
NEAR_DUPLICATE: Final = "near-duplicate"
LONG_EXAMPLE: Final = "long-example"
MANY_EXAMPLES: Final = "many-examples"


def analyse(file: PromptFile, rules: Rules, count: Count) -> Analysis:
    """What a prompt consists of and what could be better, its tokens counted by `count`.

    Of several requests the first is analysed; the others tell which of its text differs from call
    to call, and give the turns their mean size.
    """
    requests = tuple(with_instructions(request) for request in file.requests)
    reading = read(requests, rules)
    laid = laid_out(reading.texts, count)
    findings = tuple(_Search(laid, rules, file.lines).findings())
    pieces = [piece for text in laid for piece in text.pieces]
    if reading.others:
        pieces = _with_mean_turns(pieces, (requests[0], *reading.others), count)
    parts: dict[Part, int] = dict.fromkeys(Part, 0)
    for piece in pieces:
        parts[piece.part] += piece.tokens
    first = requests[0]
    return Analysis(
        file.name,
        tuple(pieces),
        findings,
        parts,
        requests=1 + len(reading.others),
        left_out=reading.left_out,
        model=first.model,
        marked=first.marked,
        uncounted=first.uncounted,
    )


def _with_mean_turns(
    pieces: Sequence[Piece], requests: Sequence[Request], count: Count
) -> list[Piece]:
    """The pieces with one of all turns, whose tokens are the mean of the requests, half up."""
    turns = sum(
        count(passage.text)
        for request in requests
        for part, passage in request.passages
        if part is Part.TURNS
    )
    mean = (2 * turns + len(requests)) // (2 * len(requests))
    # Pieces keep their numbers: the first turn takes the mean, the others take nothing.
    left = [replace(p, tokens=0) if p.part is Part.TURNS else p for p in pieces]
    places = [place for place, piece in enumerate(left) if piece.part is Part.TURNS]
    if not places:
        return [*left, Piece(mean, Part.TURNS, in_prefix=False)]
    left[places[0]] = replace(left[places[0]], tokens=mean)
    return left


class _Search:
    """Looks for findings, none overlapping another: what is found first keeps its place."""

    def __init__(self, laid: Sequence[Laid], rules: Rules, lines: Lines) -> None:
        self._laid = laid
        self._rules = rules
        self._lines = lines
        self._pieces = [piece for each in laid for piece in each.pieces]
        self._taken: set[int] = set()

    def findings(self) -> list[Finding]:
        """All findings in the order of their places."""
        found = [
            *self._volatile(certain=True),
            *self._examples(),
            *self._defaults(),
            *self._repetitions(),
            *self._volatile(certain=False),
        ]
        return sorted(found, key=lambda each: each.pieces)

    def _volatile(self, *, certain: bool) -> Iterator[Finding]:
        last_fixed = self._last_fixed_piece()
        for laid in self._laid:
            passage = laid.text.passage
            for span, whole in zip(laid.text.volatile, laid.spans, strict=True):
                behind = laid.numbers(*whole)[1]
                if span.certain is certain and behind <= last_fixed and self._free(laid, whole):
                    yield replace(
                        self._finding(laid, Kind.VOLATILE, span.rule, whole),
                        place=passage.place(span.start, span.end, self._lines),
                        text=passage.text[span.start : span.end],
                        saved_tokens=0,
                        certain=certain,
                        differing=span.differing,
                        instead=span.instead,
                        behind_tokens=self._fixed_behind(behind),
                    )

    def _last_fixed_piece(self) -> int:
        """Number of the first piece of the last unit in the prefix that no volatile text is in.

        Text that differs at the very end of a prefix, where it belongs, has no such unit behind it.
        """
        last = -1
        for laid in self._laid:
            for unit in laid.text.units if laid.text.in_prefix else ():
                low, high = laid.numbers(unit.start, unit.end)
                says = laid.text.passage.text[unit.start : unit.end].strip()
                if says and not any(piece.volatile for piece in self._pieces[low:high]):
                    last = low
        return last

    def _fixed_behind(self, number: int) -> int:
        """Tokens from a piece on, up to the next volatile one or the end of the prefix."""
        total = 0
        for place in range(number, len(self._pieces)):
            piece = self._pieces[place]
            if piece.volatile or not piece.in_prefix:
                break
            total += piece.tokens
        return total

    def _examples(self) -> Iterator[Finding]:
        """Each example longer than the limit, and each that takes all of them beyond theirs."""
        limits = self._rules.limits
        limit, together = limits.example_tokens, 0
        for laid, span in self._example_spans():
            tokens = laid.tokens(*span)
            together += min(tokens, limit)
            beyond = min(tokens, together - limits.examples_tokens)
            if tokens > limit:
                found = self._finding(laid, Kind.EXAMPLE, LONG_EXAMPLE, span)
                yield replace(found, saved_tokens=tokens - limit)
            elif beyond > 0:
                found = self._finding(laid, Kind.EXAMPLE, MANY_EXAMPLES, span)
                yield replace(found, saved_tokens=beyond)

    def _example_spans(self) -> Iterator[tuple[Laid, tuple[int, int]]]:
        """Start and end of each example in which nothing was found yet."""
        for laid in self._laid:
            for _, units in groupby(laid.text.units, key=lambda unit: (unit.part, unit.section)):
                section = list(units)
                if section[0].part is not Part.EXAMPLES:
                    continue
                for example in examples_in(laid.text.passage.text, section):
                    span = example[0].start, example[-1].end
                    if self._free(laid, span):
                        yield laid, span

    def _defaults(self) -> Iterator[Finding]:
        for laid, unit in self._sentences(frozenset({Part.SYSTEM})):
            said = _plain(laid.text.passage.text, unit)
            for rule in self._rules.instructions:
                if any(pattern.fullmatch(said) for pattern in rule.patterns):
                    yield self._finding(laid, Kind.DEFAULT, rule.id, (unit.start, unit.end))
                    break

    def _repetitions(self) -> Iterator[Finding]:
        units = list(self._sentences(_COMPARED))
        sentences = [laid.text.passage.text[unit.start : unit.end] for laid, unit in units]
        for each in repetitions(sentences, self._rules):
            (laid, unit), (first_laid, first) = units[each.later], units[each.first]
            found = self._finding(laid, Kind.REPEATED, NEAR_DUPLICATE, (unit.start, unit.end))
            passage = first_laid.text.passage
            repeats = passage.place(*sentence_of(passage.text, first), self._lines)
            yield replace(found, repeats=repeats, similarity_percent=each.similarity_percent)

    def _sentences(self, parts: frozenset[Part]) -> Iterator[tuple[Laid, Unit]]:
        """The sentences of some parts in which nothing was found yet."""
        for laid in self._laid:
            for unit in laid.text.units:
                wanted = unit.part in parts and unit.prose
                if wanted and self._free(laid, (unit.start, unit.end)):
                    yield laid, unit

    def _free(self, laid: Laid, span: tuple[int, int]) -> bool:
        return self._taken.isdisjoint(range(*laid.numbers(*span)))

    def _finding(self, laid: Laid, kind: Kind, rule: str, span: tuple[int, int]) -> Finding:
        """A finding of whole pieces, placed at its text without white space and marks around it."""
        numbers = laid.numbers(*span)
        self._taken.update(range(*numbers))
        passage = laid.text.passage
        start, end = sentence_of(passage.text, Unit(*span, Part.SYSTEM))
        if start >= end:
            start, end = span
        tokens = laid.tokens(*span)
        return Finding(
            kind,
            rule,
            passage.place(start, end, self._lines),
            passage.text[start:end],
            unit_at(laid.text.units, span[0]).part,
            tokens,
            tokens,
            numbers,
        )


def _plain(text: str, unit: Unit) -> str:
    """What a unit says, white space as one blank, without the stop at its end."""
    start, end = sentence_of(text, unit)
    return " ".join(text[start:end].split()).strip("*_").rstrip(".!;: *_").strip()
