"""A request read for analysis: its passages cut into units, with what differs between requests."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tokonomi.prompts.place import Passage
from tokonomi.prompts.request import Part, Request
from tokonomi.prompts.rules import Rules
from tokonomi.prompts.units import Unit, unit_at, units_of
from tokonomi.prompts.volatile import Volatile, by_comparison, by_pattern

_SECTIONED: Final = frozenset({Part.SYSTEM})
_SEARCHED: Final = frozenset({Part.SYSTEM, Part.DOCUMENTS, Part.TOOLS})
"""Parts in which a pattern tells volatile text; an example's date is as fixed as the example."""
_LEAST_IN_COMMON: Final = 2
"""Requests with less than one part in this of their fixed text in common have other prompts."""


@dataclass(frozen=True, slots=True)
class Text:
    """One passage of the analysed request.

    Attributes:
        passage: the passage.
        units: all of its text.
        in_prefix: whether it stands before the first turn, where a cache can hold it.
        volatile: what differs from call to call, in order.
    """

    passage: Passage
    units: tuple[Unit, ...]
    in_prefix: bool
    volatile: tuple[Volatile, ...] = ()

    def unit_texts(self) -> tuple[str, ...]:
        """The texts of the units."""
        return tuple(self.passage.text[unit.start : unit.end] for unit in self.units)


@dataclass(frozen=True, slots=True)
class Reading:
    """The first request, and what the others say about it.

    `others` are the further requests of the same prompt; `left_out` counts those of other prompts.
    """

    texts: tuple[Text, ...]
    others: tuple[Request, ...] = ()
    left_out: int = 0


def read(requests: Sequence[Request], rules: Rules) -> Reading:
    """The first request with its volatile text, by comparison with the others where there are any.

    Requests whose prefix has less than half of its text in common with the first one's are other
    prompts and are left out.
    """
    texts = tuple(_texts(requests[0], rules))
    own = _prefix_units(texts)
    others: list[Request] = []
    heads: Counter[tuple[str, ...]] = Counter()
    for request in requests[1:]:
        head = _prefix_units(tuple(_texts(request, rules)))
        if head not in heads and not _same_prompt(own, head):
            continue
        heads[head] += 1
        others.append(request)
    left_out = len(requests) - 1 - len(others)
    if len(requests) == 1:
        return Reading(tuple(_with_patterns(text, rules) for text in texts))
    found = by_comparison(own, list(heads.items()))
    return Reading(tuple(_with_differences(texts, found, rules)), tuple(others), left_out)


def _same_prompt(own: tuple[str, ...], head: tuple[str, ...]) -> bool:
    whole = sum(map(len, own))
    differing = sum(each.end - each.start for each in by_comparison(own, [(head, 1)]))
    return _LEAST_IN_COMMON * (whole - differing) >= whole


def _texts(request: Request, rules: Rules) -> Iterator[Text]:
    before_turns = True
    for part, passage in request.passages:
        before_turns = before_turns and part is not Part.TURNS
        if part in _SECTIONED:
            units = units_of(passage.text, part, rules)
        else:
            whole = Unit(0, len(passage.text), part, prose=False)
            documents = part is Part.DOCUMENTS
            units = units_of(passage.text, part, Rules()) if documents else (whole,)
        if passage.text:
            yield Text(passage, units, before_turns)


def _prefix_units(texts: Sequence[Text]) -> tuple[str, ...]:
    return tuple(unit for text in texts if text.in_prefix for unit in text.unit_texts())


def _with_patterns(text: Text, rules: Rules) -> Text:
    if not text.in_prefix:
        return text
    found = [
        replace(each, certain=False) if unit.code else each
        for each in by_pattern(text.passage.text, rules)
        if (unit := unit_at(text.units, each.start)).part in _SEARCHED
        # A program's own braces and times are as fixed as the program.
        and (each.certain or not unit.code)
    ]
    return replace(text, volatile=tuple(found))


def _with_differences(
    texts: Sequence[Text], found: Sequence[Volatile], rules: Rules
) -> Iterator[Text]:
    """The texts, each with its share of the spans that count the characters of all prefixes."""
    begin = 0
    for text in texts:
        if not text.in_prefix:
            yield text
            continue
        length = len(text.passage.text)
        own = [
            replace(each, start=max(each.start - begin, 0), end=min(each.end - begin, length))
            for each in found
            if each.start < begin + length and each.end > begin
        ]
        known = by_pattern(text.passage.text, rules)
        yield replace(text, volatile=tuple(_named(each, known) for each in own))
        begin += length


def _named(volatile: Volatile, known: Sequence[Volatile]) -> Volatile:
    """The span under the name of the pattern that it looks like, where there is one."""
    for each in known:
        if each.start < volatile.end and volatile.start < each.end:
            return replace(volatile, rule=each.rule)
    return volatile
