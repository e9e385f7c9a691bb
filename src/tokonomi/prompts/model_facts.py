"""What must be known of a model beside its price: the shortest prefix it caches, its vocabulary."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import msgspec

from tokonomi.errors import BadInput
from tokonomi.pricing.names import split_suffix, without_date
from tokonomi.prompts.rule_file import decoded

Marking = Literal["automatic", "explicit"]
Encoding = Literal["o200k_base", "cl100k_base"]
NO_ENCODING: Final[Encoding] = "o200k_base"
"""What texts are counted with when nothing is known of the model."""


class CacheMinimum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shortest prefix that a provider caches for some models.

    Attributes:
        label: the models in a few words.
        providers: ids of the providers, as price rows name them.
        models: patterns of the models' ids, of which one must fit the whole id.
        tokens: the shortest cached prefix.
        step: a longer prefix is cached in whole multiples of this beyond it.
        marking: whether the caller must mark the prefix.
        source: where the figure was read.
        read_on: when.
    """

    label: str
    providers: tuple[str, ...]
    models: tuple[str, ...]
    tokens: int
    step: int
    marking: Marking
    source: str
    read_on: date

    def cached(self, prefix_tokens: int) -> int:
        """How many tokens of a prefix are cached: none below the minimum.

        >>> openai = CacheMinimum(label="", providers=("openai",), models=(".*",), tokens=1024,
        ...                       step=128, marking="automatic", source="",
        ...                       read_on=date(2026, 11, 22))
        >>> openai.cached(1023), openai.cached(1200)
        (0, 1152)
        """
        if prefix_tokens < self.tokens:
            return 0
        return prefix_tokens - (prefix_tokens - self.tokens) % self.step


class Reseller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider that passes requests on, so that the maker's minimum holds."""

    provider: str
    source: str


class MinimumFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of minimums."""

    about: str
    minimum: tuple[CacheMinimum, ...]
    reseller: tuple[Reseller, ...] = ()


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the tokens of some models are counted.

    Attributes:
        models: patterns of the models' ids, of which one must fit the whole id.
        encoding: the vocabulary that texts are counted with.
        exact: whether the models themselves use it.
        more_percent: how many percent more tokens they make of a text, at least and at most.
        source: where that was read or measured.
    """

    models: tuple[str, ...]
    encoding: Encoding
    source: str
    exact: bool = False
    more_percent: tuple[int, int] | None = None

    def bounds(self, tokens: int) -> tuple[int, int] | None:
        """The fewest and the most tokens that a count stands for, or None where nobody knows."""
        if self.exact:
            return tokens, tokens
        if self.more_percent is None:
            return None
        least, most = self.more_percent
        return tokens * (_WHOLE + least) // _WHOLE, -(-tokens * (_WHOLE + most) // _WHOLE)


class VocabularyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of vocabularies."""

    about: str
    vocabulary: tuple[Vocabulary, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts of all models, from their files."""

    minimums: tuple[CacheMinimum, ...] = ()
    resellers: frozenset[str] = frozenset()
    vocabularies: tuple[Vocabulary, ...] = ()

    def minimum(self, provider: str, model: str) -> CacheMinimum | None:
        """The cache minimum of a provider's model by its id, or None when no source states one."""
        if provider in self.resellers and "/" in model:
            provider, _, model = model.partition("/")
        names = _names(model)
        for minimum in self.minimums:
            if provider in minimum.providers and _fits(minimum.models, names):
                return minimum
        return None

    def vocabulary(self, model: str) -> Vocabulary | None:
        """How a model's tokens are counted, or None when nothing is known of it."""
        names = _names(model)
        return next((each for each in self.vocabularies if _fits(each.models, names)), None)


def read_facts(minimums: str, vocabularies: str) -> ModelFacts:
    """The facts that two TOML texts state.

    Raises:
        BadInput: a text has not the form, or a pattern or a number in it is none.
    """
    told = decoded(minimums, "cache_minimums.toml", MinimumFile)
    spoken = decoded(vocabularies, "vocabularies.toml", VocabularyFile)
    for minimum in told.minimum:
        if minimum.tokens < 1 or minimum.step < 1:
            raise BadInput(f"a cache minimum of {minimum.tokens} tokens in steps of {minimum.step}")
    for pattern in (*_patterns(told.minimum), *_patterns(spoken.vocabulary)):
        try:
            re.compile(pattern)
        except re.error as wrong:
            raise BadInput(f"{pattern!r} is not a pattern of models: {wrong}") from None
    resellers = frozenset(reseller.provider for reseller in told.reseller)
    return ModelFacts(told.minimum, resellers, spoken.vocabulary)


def _patterns(tables: Iterable[CacheMinimum | Vocabulary]) -> Iterable[str]:
    return (pattern for table in tables for pattern in table.models)


def _names(model: str) -> tuple[str, ...]:
    """The id as it is, without its suffix or date, and without a maker before it."""
    plain = model.lower()
    undated = [without_date(name) for name in (plain, split_suffix(plain)[0])]
    every = (name for whole in undated for name in (whole, whole.rpartition("/")[2]))
    return tuple(dict.fromkeys(every))


def _fits(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns for name in names)


_WHOLE: Final = 100
