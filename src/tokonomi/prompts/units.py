"""A text cut into units: sentences, headings, list items, lines of code, each of one part."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from tokonomi.prompts.request import Part
from tokonomi.prompts.rules import Rules

_HEADING: Final = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t:#]*$")
_LABEL: Final = re.compile(
    r"[ \t]*(?:\*\*|__)?([^\n:<>]{1,60}?)(?:\*\*|__)?[ \t]*:(?:\*\*|__)?[ \t]*$"
)
_TAG: Final = re.compile(r"[ \t]*<(/?)([A-Za-z][\w-]*)(?:\s[^<>\n]*)?>")
_FENCE: Final = re.compile(r"[ \t]*(```|~~~)")
_MARK: Final = re.compile(
    r"[ \t>]*(?:(?:[-*+•]|\d{1,3}[.)]|[a-zA-Z][.)])[ \t]+)?(?:\[[ xX]\][ \t]+)?"
)
_STOP: Final = re.compile(
    r"[.!?\u2026]+[\"'\u201d\u2019)\]*_]*(?=\s)|[\u3002\uff01\uff1f]+[\u300d\u300f\uff09]*"
)
_ENDED: Final = re.compile(r"[.!?\u2026\u3002\uff01\uff1f:;|][\"'\u201d\u2019)\]*_]*\s*$")
_STARTS_LINE: Final = re.compile(r"[ \t]*(?:[-*+•>|]|\d{1,3}[.)][ \t]|#{1,6}[ \t]|<|```|~~~)")
_NUMBER: Final = re.compile(r"\s*(?:\d{1,3}|[a-zA-Z])[.)]$")
_LABEL_LEVEL: Final = 7
"""A label such as "Examples:" ranks below every heading."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a text, its white space with it; the units of a text are all of it.

    Attributes:
        start: index of its first character.
        end: index behind its last one.
        part: the part that its section makes it.
        prose: whether it is a sentence, and neither code, heading, tag nor table.
        code: whether it is fenced code.
        section: number of its section in the text, from 0; each mark begins one.
    """

    start: int
    end: int
    part: Part
    prose: bool = True
    section: int = 0
    code: bool = False


def units_of(text: str, part: Part, rules: Rules) -> tuple[Unit, ...]:
    """The units of a text whose unmarked pieces belong to `part`, without a gap between them."""
    lines = list(_Marks(part, rules).lines(text))
    units: list[Unit] = []
    for line in _joined(text, lines):
        cuts = [line.start, *(_stops(text, line) if line.prose else ()), line.end]
        for start, end in pairwise(cuts):
            units.append(replace(line, start=start, end=end))
    return tuple(_with_blanks(text, units))


def sentence_of(text: str, unit: Unit) -> tuple[int, int]:
    """Start and end of what a unit says, without white space and list marks around it."""
    start = _MARK.match(text, unit.start, unit.end)
    begin = start.end() if start else unit.start
    while begin < unit.end and text[begin].isspace():
        begin += 1
    end = unit.end
    while end > begin and text[end - 1].isspace():
        end -= 1
    return begin, end


def unit_at(units: Sequence[Unit], index: int) -> Unit:
    """The unit that the character at an index belongs to."""
    return units[max(bisect_right(units, index, key=lambda unit: unit.start) - 1, 0)]


class _Marks:
    """Follows the marks of sections through the lines of a text."""

    def __init__(self, part: Part, rules: Rules) -> None:
        self._own = part
        self._rules = rules
        self._titled: list[tuple[int, Part]] = []
        self._tagged: list[tuple[str, Part]] = []
        self._fence = ""
        self._section = 0

    def lines(self, text: str) -> Iterator[Unit]:
        """Each line of the text with its part."""
        start = 0
        for content in text.splitlines(keepends=True):
            in_code = bool(self._fence)
            prose = self._read(content.rstrip("\r\n"))
            code = in_code or bool(self._fence)
            yield Unit(start, start + len(content), self._part, prose, self._section, code)
            self._leave(content)
            start += len(content)

    @property
    def _part(self) -> Part:
        if self._tagged:
            return self._tagged[-1][1]
        return self._titled[-1][1] if self._titled else self._own

    def _read(self, line: str) -> bool:
        """Whether a line is prose, once its marks are taken in."""
        if fence := _FENCE.match(line):
            self._fence = "" if self._fence == fence[1] else self._fence or fence[1]
            return False
        if self._fence:
            return False
        if heading := _HEADING.match(line):
            self._title(len(heading[1]), heading[2], always=True)
            return False
        if label := _LABEL.match(line):
            self._title(_LABEL_LEVEL, label[1], always=False)
        if (tag := _TAG.match(line)) and not tag[1]:
            self._open(tag[2].lower())
        return not (tag or label or line.lstrip().startswith("|"))

    def _title(self, level: int, title: str, *, always: bool) -> None:
        """Begins a section; a title that names no part ends those at its level and below."""
        plain = title.strip(" *_").lower()
        named = next((part for form, part in self._rules.titles if form.fullmatch(plain)), None)
        if named is None and not always:
            return
        self._titled = [each for each in self._titled if each[0] < level]
        if named is not None:
            self._titled.append((level, named))
        self._section += 1

    def _open(self, name: str) -> None:
        part = self._rules.tags.get(name)
        if part is not None:
            self._tagged.append((name, part))
            self._section += 1

    def _leave(self, line: str) -> None:
        """Ends the section of a closing tag, behind its line."""
        for tag in re.finditer(r"</([A-Za-z][\w-]*)>", line):
            name = tag[1].lower()
            if any(name == open_ for open_, _ in self._tagged):
                while self._tagged.pop()[0] != name:
                    pass
                self._section += 1


def _joined(text: str, lines: list[Unit]) -> Iterator[Unit]:
    """The lines, with the lines of a sentence that runs over their ends made one."""
    held: Unit | None = None
    for line in lines:
        if held is None:
            held = line
        elif _runs_on(text, held, line):
            held = replace(held, end=line.end)
        else:
            yield held
            held = line
    if held is not None:
        yield held


def _runs_on(text: str, held: Unit, line: Unit) -> bool:
    same = held.prose and line.prose and (held.part, held.section) == (line.part, line.section)
    before, after = text[held.start : held.end], text[line.start : line.end].lstrip()
    if not same or not before.strip() or _ENDED.search(before):
        return False
    return after[:1].islower() and not _STARTS_LINE.match(after)


def _stops(text: str, line: Unit) -> Iterator[int]:
    """Where a sentence ends within a line: behind its stop, when no lower-case word follows."""
    for stop in _STOP.finditer(text, line.start, line.end):
        behind = text[stop.end() : line.end].lstrip()
        goes_on = not behind or behind[0].islower()
        if not goes_on and not _NUMBER.fullmatch(text[line.start : stop.end()]):
            yield stop.end()


def _with_blanks(text: str, units: list[Unit]) -> Iterator[Unit]:
    """The units, each with the blank ones behind it; blanks at the very start go to the first."""
    held: Unit | None = None
    for unit in units:
        if held is None:
            held = unit
        elif text[unit.start : unit.end].isspace() or text[held.start : held.end].isspace():
            blank_first = text[held.start : held.end].isspace()
            kept = unit if blank_first else held
            held = replace(kept, start=held.start, end=unit.end)
        else:
            yield held
            held = unit
    if held is not None:
        yield held
