"""Rules on prompts, compiled: what counts as a default instruction, volatile text, an example."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Final

from msgspec.structs import asdict

from tokonomi.errors import BadInput
from tokonomi.money import Locale
from tokonomi.naming import meant
from tokonomi.prompts.request import Part
from tokonomi.prompts.rule_file import InstructionTable, RuleFile, VolatileTable, WhyTable

_TERM: Final = re.compile(r"\{([a-z_]+)\}")
_SIMILARITY: Final = 75
_LEAST_WORDS: Final = 3
_EXAMPLE_TOKENS: Final = 150
_EXAMPLES_TOKENS: Final = 450


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its patterns, and why what they find is a finding."""

    id: str
    patterns: tuple[re.Pattern[str], ...]
    why: WhyTable
    certain: bool = True

    def reason(self, locale: Locale) -> str:
        """Why, in a language; English where nobody wrote it in that one."""
        return (self.why.id if locale == "id" else "") or self.why.en


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a finding begins: shares in percent, sizes in words and tokens."""

    similarity_percent: int = _SIMILARITY
    least_words: int = _LEAST_WORDS
    example_tokens: int = _EXAMPLE_TOKENS
    examples_tokens: int = _EXAMPLES_TOKENS


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of an analysis.

    Attributes:
        instructions: by id; each pattern is of a whole sentence, white space in it as one space.
        volatile: by id.
        titles: the titles of sections with their parts, in the order in which they are tried.
        tags: the part of each tag, by its lower-case name.
        ignored: words that carry no meaning when sentences are compared.
        turning: words that must be the same in both.
        directing: words behind which the same must stand in both.
        opening: words that open a clause, which may stand first or last.
        floating: words that may stand anywhere.
        same: the word that stands for each of several of one meaning.
        limits: where a finding begins.
    """

    instructions: tuple[Rule, ...] = ()
    volatile: tuple[Rule, ...] = ()
    titles: tuple[tuple[re.Pattern[str], Part], ...] = ()
    tags: Mapping[str, Part] = field(default_factory=dict[str, Part], hash=False)
    ignored: frozenset[str] = frozenset()
    turning: frozenset[str] = frozenset()
    directing: frozenset[str] = frozenset()
    opening: frozenset[str] = frozenset()
    floating: frozenset[str] = frozenset()
    same: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    limits: Limits = Limits()

    def reason(self, rule: str, locale: Locale) -> str:
        """Why a finding of this rule is one; empty for a rule that is not among these."""
        every = (*self.instructions, *self.volatile)
        return next((each.reason(locale) for each in every if each.id == rule), "")


def compile_rules(files: Mapping[str, RuleFile]) -> Rules:
    """The rules of several files, by name, of which a later one may replace rules of an earlier.

    Terms are shared by all files.

    Raises:
        BadInput: a pattern that is none, a term that no file has, a limit out of range, or an
            `off` that names no rule.
    """
    terms = {name: words for file in files.values() for name, words in file.terms.items()}
    instructions: dict[str, Rule] = {}
    volatile: dict[str, Rule] = {}
    for name, file in files.items():
        for id_ in file.off:
            if instructions.pop(id_, None) is None and volatile.pop(id_, None) is None:
                known = (*instructions, *volatile)
                raise BadInput(f"{name}: off names no rule {id_!r}", remedy=meant(id_, known))
        for table in file.instruction:
            instructions[table.id] = _rule(table, terms, name)
        for table in file.volatile:
            volatile[table.id] = _rule(table, terms, name)
    return Rules(
        instructions=tuple(instructions.values()),
        volatile=tuple(volatile.values()),
        titles=tuple(_titles(files, terms)),
        tags={
            tag.lower(): section.part
            for file in files.values()
            for section in file.section
            for tag in section.tags
        },
        ignored=_words(file.ignored for file in files.values()),
        turning=_words(file.turning for file in files.values()),
        directing=_words(file.directing for file in files.values()),
        opening=_words(file.opening for file in files.values()),
        floating=_words(file.floating for file in files.values()),
        same=_joined(group for file in files.values() for group in file.same),
        limits=_limits(files),
    )


def _rule(
    table: InstructionTable | VolatileTable, terms: Mapping[str, tuple[str, ...]], name: str
) -> Rule:
    where = f"{name}, rule {table.id}"
    patterns = tuple(_pattern(text, terms, where) for text in table.patterns)
    certain = table.certain if isinstance(table, VolatileTable) else True
    return Rule(table.id, patterns, table.why, certain)


def _titles(
    files: Mapping[str, RuleFile], terms: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[re.Pattern[str], Part]]:
    for name, file in files.items():
        for section in file.section:
            for title in section.titles:
                where = f"{name}, section {section.part}"
                yield _pattern(title, terms, where), section.part


def _pattern(text: str, terms: Mapping[str, tuple[str, ...]], where: str) -> re.Pattern[str]:
    """The compiled pattern, its terms put in."""

    def put_in(match: re.Match[str]) -> str:
        if match[1] not in terms:
            raise BadInput(
                f"{where}: no term {{{match[1]}}}",
                remedy=f"Terms are {', '.join(terms) or 'none'}; a real brace is written \\{{.",
            )
        return f"(?:{'|'.join(map(re.escape, terms[match[1]]))})"

    source = _TERM.sub(put_in, text)
    try:
        return re.compile(source, re.IGNORECASE)
    except re.error as wrong:
        raise BadInput(
            f"{where}: {text!r} is not a pattern: {wrong}",
            remedy="Write a Python regular expression, in TOML with doubled backslashes.",
        ) from None


def _words(lists: Iterable[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word.lower() for words in lists for word in words)


def _joined(groups: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """The word that stands for each; groups with a word in common are one, of all files."""
    members: dict[str, list[str]] = {}
    for group in groups:
        words = [word.lower() for word in group]
        met = {id(known): known for word in words if (known := members.get(word))}
        whole = list(dict.fromkeys(word for known in (*met.values(), words) for word in known))
        members.update(dict.fromkeys(whole, whole))
    return {word: whole[0] for word, whole in members.items()}


def _limits(files: Mapping[str, RuleFile]) -> Limits:
    limits = Limits()
    for name, file in files.items():
        told = {key: value for key, value in asdict(file.limits).items() if value is not None}
        limits = replace(limits, **told)
        shares_fit = 1 <= limits.similarity_percent <= _WHOLE
        if not shares_fit or min(astuple(limits)) < 1:
            similarity, least, example, examples = astuple(limits)
            raise BadInput(
                f"{name}: limits {similarity} %, {least} words, {example} and {examples} tokens",
                remedy="similarity_percent is from 1 to 100, the others are 1 or more.",
            )
    return limits


_WHOLE: Final = 100
