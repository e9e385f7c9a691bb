"""The examples of a section: pairs such as `Input:` and `Output:`, parted by blank lines."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from tokonomi.prompts.units import Unit, sentence_of

_LABEL: Final = re.compile(r"[*_]*([^\n:*_]{1,40})[*_]*[ \t]*:")
_DIGITS: Final = re.compile(r"[\d ]+")


def examples_in(text: str, units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """The units of a section by example, what stands before the first one with that one.

    The label that begins the first example begins every other one too, behind a blank line. A
    conversation whose turns follow each other without one is thus a single example.
    """
    labels = [_label(text, unit) for unit in units]
    behind_blanks = [
        place
        for place, (before, unit) in enumerate(pairwise(units), 1)
        if _ends_blank(text[before.start : unit.start])
    ]
    number, beginning = Counter(labels), {labels[place] for place in behind_blanks}
    found = (each for each in labels if each and number[each] > 1 and each in beginning)
    label = next(found, None)
    cuts = [
        place
        for place in behind_blanks
        if label is not None and labels[place] == label and label in labels[:place]
    ]
    for start, end in pairwise([0, *cuts, len(units)]):
        yield units[start:end]


def _label(text: str, unit: Unit) -> str:
    """What stands before the colon of a unit, numbers left out; empty where there is none."""
    start, end = sentence_of(text, unit)
    match = None if unit.code else _LABEL.match(text, start, end)
    return "" if match is None else _DIGITS.sub("", match[1]).lower()


def _ends_blank(text: str) -> bool:
    """Whether a blank line stands at the end."""
    return text[len(text.rstrip()) :].count("\n") > 1
