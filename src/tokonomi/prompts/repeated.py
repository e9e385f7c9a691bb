"""Sentences that say again what another has said: near-duplicates by the words in common."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tokonomi.prompts.rules import Rules

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_WHOLE: Final = 100
_LEAST: Final = 2


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

    def enough_for(self, rules: Rules) -> bool:
        """Whether it says enough to be compared; a sentence of two words must be the same."""
        return len(self.content) >= min(_LEAST, rules.limits.least_words)


def repetitions(sentences: Sequence[str], rules: Rules) -> tuple[Repetition, ...]:
    """Each sentence that repeats an earlier one, with the first that it repeats.

    The measure is Jaccard's: words in common by all words of both, ignored ones left out, words of
    one meaning as one. Words that turn a meaning round and numbers must be the same, in the same
    order, and so must what follows a word of direction: "from English" is not "from Indonesian".
    Sentences of fewer words than the least must have all of them in common. A sentence that is
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
        if not own.enough_for(rules):
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
    spoken = (match[0].lower().replace("\u2019", "'") for match in _WORD.finditer(sentence))
    every = [rules.same.get(word, word) for word in spoken]
    content = frozenset(every) - rules.ignored
    turning = [word for word in every if word in rules.turning or word[0].isdigit()]
    return _Words(content, (*turning, *_directions(every, rules)))


def _directions(words: Sequence[str], rules: Rules) -> Iterator[str]:
    """Each word of direction with the word that it points at."""
    for place, word in enumerate(words):
        if word in rules.directing:
            behind = (each for each in words[place + 1 :] if each not in rules.ignored)
            yield f"{word} {next(behind, '')}"


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
        short = min(len(own.content), len(other.content)) < rules.limits.least_words
        if percent >= (_WHOLE if short else rules.limits.similarity_percent):
            yield Repetition(first, later, percent)
