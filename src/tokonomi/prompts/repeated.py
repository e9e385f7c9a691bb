"""Sentences that say again what another has said: near-duplicates by the words in common."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tokonomi.prompts.rules import Rules

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Repetition:
    """Sentence `later` says what sentence `first` said; both are numbers in the list compared."""

    first: int
    later: int
    similarity_percent: int


@dataclass(frozen=True, slots=True)
class _Words:
    """What two sentences are compared by: their words, and those that must be the same."""

    content: frozenset[str]
    fixed: tuple[str, ...]


def repetitions(sentences: Sequence[str], rules: Rules) -> tuple[Repetition, ...]:
    """Each sentence that repeats an earlier one, with the first that it repeats.

    The measure is Jaccard's: words in common by all words of both, ignored ones left out. Words
    that turn a meaning round and numbers must be the same, in the same order. A sentence that is
    itself a repetition is not compared with later ones.

    >>> repetitions(["Answer in JSON only, without prose.", "Answer only in JSON without prose."],
    ...             Rules(ignored=frozenset({"in"})))
    (Repetition(first=0, later=1, similarity_percent=100),)
    """
    words = [_words(sentence, rules) for sentence in sentences]
    rarity = Counter(word for each in words for word in each.content)
    index: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
    found: list[Repetition] = []
    for later, own in enumerate(words):
        if len(own.content) < rules.limits.least_words:
            continue
        rarest = _rarest(own, rarity, rules.limits.similarity_percent)
        candidates = sorted({first for word in rarest for first in index[own.fixed, word]})
        repeated = next(_alike(words, candidates, later, rules), None)
        if repeated is not None:
            found.append(repeated)
            continue
        for word in rarest:
            index[own.fixed, word].append(later)
    return tuple(found)


def _words(sentence: str, rules: Rules) -> _Words:
    every = [match[0].lower().replace("\u2019", "'") for match in _WORD.finditer(sentence)]
    content = frozenset(every) - rules.ignored
    fixed = tuple(word for word in every if word in rules.turning or word[0].isdigit())
    return _Words(content, fixed)


def _rarest(words: _Words, rarity: Counter[str], percent: int) -> list[str]:
    """As many of the rarest words that two sentences as alike as `percent` share one of them.

    Two sets whose Jaccard measure is at least t share one of the first n - ceil(t n) + 1 words of
    each in any common order (prefix filtering: Chaudhuri, Ganti and Kaushik 2006).
    """
    ordered = sorted(words.content, key=lambda word: (rarity[word], word))
    return ordered[: len(ordered) - -(-percent * len(ordered) // _WHOLE) + 1]


def _alike(
    words: Sequence[_Words], candidates: Sequence[int], later: int, rules: Rules
) -> Iterator[Repetition]:
    own = words[later]
    for first in candidates:
        other = words[first]
        shared = len(own.content & other.content)
        percent = _WHOLE * shared // len(own.content | other.content)
        if percent >= rules.limits.similarity_percent:
            yield Repetition(first, later, percent)
