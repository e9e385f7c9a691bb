"""Text that differs from call to call: told by patterns in one prompt, by comparison in several."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from tokonomi.prompts.rules import Rules

_WORD: Final = re.compile(r"\S+")
_OF_WORD: Final = re.compile(r"[^\s\"'{}\[\](),;<>]")
DIFFERS: Final = "differs"
"""The rule of a text that was seen to differ and that no pattern knows."""


@dataclass(frozen=True, slots=True)
class Volatile:
    """A span of a text that differs from call to call.

    `rule` names what it looks like, `certain` is whether it is taken to break a prefix. `differing`
    is the number of other requests in which another text stands there, and `instead` what stands
    in the first of them.
    """

    start: int
    end: int
    rule: str
    certain: bool = True
    differing: int = 0
    instead: str = ""


def by_pattern(text: str, rules: Rules) -> tuple[Volatile, ...]:
    """The spans that a rule on volatile text finds, none overlapping another.

    Where two overlap, the certain one stays, then the one that begins first, then the longer.
    """
    found = [
        Volatile(*_span(match), rule.id, rule.certain)
        for rule in rules.volatile
        for pattern in rule.patterns
        for match in pattern.finditer(text)
    ]
    found = [each for each in found if each.start < each.end]
    found.sort(key=lambda each: (not each.certain, each.start, -each.end))
    kept: list[Volatile] = []
    for each in found:
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    return tuple(sorted(kept, key=lambda each: each.start))


def _span(match: re.Match[str]) -> tuple[int, int]:
    """The group `value` of a match, where it has one, without white space at its end."""
    start, end = match.span("value" if "value" in match.re.groupindex else 0)
    end -= len(match.string[start:end]) - len(match.string[start:end].rstrip())
    return start, end


def by_comparison(
    own: Sequence[str], others: Sequence[tuple[Sequence[str], int]]
) -> tuple[Volatile, ...]:
    """The spans of the text made of the units `own` that other requests have otherwise.

    `others` are the units of the other requests, each with the number of requests that are so.
    Spans count characters of all units of `own` together; spans that touch or overlap are one.
    """
    text = "".join(own)
    found = sorted(
        (start, end, number, instead)
        for number, (other, _) in enumerate(others)
        for start, end, instead in _differences(text, own, other)
    )
    merged: list[tuple[int, int, set[int], str]] = []
    for start, end, number, instead in found:
        if merged and start <= merged[-1][1]:
            first, behind, numbers, kept = merged[-1]
            merged[-1] = first, max(behind, end), numbers | {number}, kept
        else:
            merged.append((start, end, {number}, instead))
    return tuple(
        Volatile(start, end, DIFFERS, True, sum(others[n][1] for n in numbers), instead)
        for start, end, numbers, instead in merged
    )


def _differences(
    text: str, own: Sequence[str], other: Sequence[str]
) -> Iterator[tuple[int, int, str]]:
    starts = [0]
    for unit in own:
        starts.append(starts[-1] + len(unit))
    matcher = SequenceMatcher(None, own, other, autojunk=False)
    for kind, first, behind, other_first, other_behind in matcher.get_opcodes():
        if kind == "equal":
            continue
        spans = [(first, behind, other_first, other_behind)]
        if behind - first == other_behind - other_first:
            pairs = zip(range(first, behind), range(other_first, other_behind), strict=True)
            spans = [(one, one + 1, two, two + 1) for one, two in pairs]
        for low, high, other_low, other_high in spans:
            there = "".join(other[other_low:other_high])
            start, end, instead = _trimmed(text, starts[low], starts[high], there)
            if start < end:
                yield start, end, instead


def _trimmed(text: str, start: int, end: int, there: str) -> tuple[int, int, str]:
    """The span without what both texts have at its ends, in whole words, and never empty."""
    here = text[start:end]
    same = _common(here, there)
    while _within_word(here, same) or _within_word(there, same):
        same -= 1
    rest, other_rest = here[same:], there[same:]
    tail = _common(rest[::-1], other_rest[::-1])
    while _within_word(rest, len(rest) - tail) or _within_word(other_rest, len(other_rest) - tail):
        tail -= 1
    first, behind = start + same, end - tail
    if first < behind:
        return first, behind, other_rest[: len(other_rest) - tail].strip()
    # The other request has something more here; the word behind the place stands for it.
    word = _WORD.search(text, first) or _WORD.search(text)
    return (*word.span(), other_rest.strip()) if word else (first, first, "")


def _within_word(text: str, index: int) -> bool:
    """Whether a cut at this index would part a word, a date or a number."""
    return 0 < index < len(text) and bool(
        _OF_WORD.match(text[index - 1]) and _OF_WORD.match(text[index])
    )


def _common(one: str, other: str) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
