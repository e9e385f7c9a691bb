"""Sentences that say again what another has said: near-duplicates by the words in common."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Final

from tokonomi.prompts.rules import Rules

_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*(?:(?<=s)')?")
_POSSESSIVE: Final = ("'s", "s'")
_OF: Final = "of"
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
    """What two sentences are compared by.

    Attributes:
        content: the words that are counted.
        fixed: those that must be the same in both.
        orders: the words as they stand, and with each clause at the end put first.
        owners: those in a possessive form, such as "customers'".
        behind_of: those behind "of", which is the same in other words.
    """

    content: frozenset[str]
    fixed: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...]
    owners: frozenset[str]
    behind_of: frozenset[str]

    def enough_for(self, rules: Rules) -> bool:
        """Whether it says enough to be compared; a sentence of two words must be the same."""
        return len(self.content) >= min(_LEAST, rules.limits.least_words)


def repetitions(sentences: Sequence[str], rules: Rules) -> tuple[Repetition, ...]:
    """Each sentence that repeats an earlier one, with the first that it repeats.

    The measure is Jaccard's: words in common by all words of both, ignored ones left out, words of
    one meaning as one. Words that turn a meaning round and numbers must be the same, in the same
    order, and so must what follows a word of direction: "from English" is not "from Indonesian".
    The words in common must stand in one order, but that a clause may stand first or last, and that
    floating words stand anywhere: "dollars to rupiah" is not "rupiah to dollars". Sentences of
    fewer words than the least must have all of them in common. A sentence that is itself a
    repetition is not compared with later ones.

    >>> repetitions(["Answer in JSON only, without prose.", "Answer only in JSON without prose."],
    ...             Rules(ignored=frozenset({"in"}), floating=frozenset({"only"})))
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
    spoken = [match[0].lower() for match in _WORD.finditer(sentence.replace("\u2019", "'"))]
    every = [_meant(word, rules) for word in spoken]
    content = frozenset(every) - rules.ignored
    turning = [word for word in every if word in rules.turning or word[0].isdigit()]
    behind_of = (_behind(every, place, rules) for place, word in enumerate(every) if word == _OF)
    return _Words(
        content,
        (*turning, *_directions(every, rules)),
        tuple(_orders(every, rules)),
        frozenset(_meant(word, rules) for word in spoken if word.endswith(_POSSESSIVE)),
        frozenset(behind_of),
    )


def _meant(spoken: str, rules: Rules) -> str:
    """The word that stands for a spoken one, whose last apostrophe says nothing."""
    word = spoken.rstrip("'")
    return rules.same.get(word, word)


def _behind(words: Sequence[str], place: int, rules: Rules) -> str:
    """The next word behind a place that is not ignored, empty where there is none."""
    return next((each for each in words[place + 1 :] if each not in rules.ignored), "")


def _directions(words: Sequence[str], rules: Rules) -> Iterator[str]:
    """Each word of direction with the word that it points at."""
    for place, word in enumerate(words):
        if word in rules.directing:
            yield f"{word} {_behind(words, place, rules)}"


def _orders(words: Sequence[str], rules: Rules) -> Iterator[tuple[str, ...]]:
    """The words as they stand, then with each clause that closes the sentence put first."""
    cuts = [0, *(place for place, word in enumerate(words) if place and word in rules.opening)]
    for cut in cuts:
        turned = (*words[cut:], *words[:cut])
        yield tuple(w for w in turned if w not in rules.ignored and w not in rules.floating)


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
        alike = percent >= (_WHOLE if short else rules.limits.similarity_percent)
        if alike and _in_one_order(own, other):
            yield Repetition(first, later, percent)


def _in_one_order(one: _Words, other: _Words) -> bool:
    """Whether the words in common stand in the same order, a clause at the end put first or not.

    A word that owns something in one and stands behind "of" in the other has another place there.
    """
    moved = (one.owners & other.behind_of) | (one.behind_of & other.owners)
    shared = (one.content & other.content) - moved
    pairs = chain(product(one.orders[:1], other.orders), product(one.orders, other.orders[:1]))
    return any(_keeps(mine, its, shared) for mine, its in pairs)


def _keeps(one: Sequence[str], other: Sequence[str], shared: frozenset[str]) -> bool:
    """Whether the shared words of one stand among those of the other in their order."""
    kept = ([word for word in words if word in shared] for words in (one, other))
    short, long = sorted(kept, key=len)
    rest = iter(long)
    return all(word in rest for word in short)
