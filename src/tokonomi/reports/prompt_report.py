"""A prompt's analysis with all that is to be said about it, in no form yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tokonomi.money import ExchangeRate, Locale
from tokonomi.prompts.analyse import LONG_EXAMPLE, MANY_EXAMPLES, NEAR_DUPLICATE
from tokonomi.prompts.finding import Analysis
from tokonomi.prompts.model_facts import CacheMinimum, Encoding, Vocabulary
from tokonomi.prompts.rules import Rules
from tokonomi.prompts.savings import Savings, Terms
from tokonomi.prompts.volatile import DIFFERS
from tokonomi.reports.prompt_words import say

_OWN_RULES: Final = frozenset({NEAR_DUPLICATE, LONG_EXAMPLE, MANY_EXAMPLES, DIFFERS})


@dataclass(frozen=True, slots=True)
class Counting:
    """How the tokens were counted: by which vocabulary, and what is known of the model's own.

    `loaded` is whether the vocabulary is there; without it bytes are divided by 3. `utf8_bytes` is
    the size of the file.
    """

    encoding: Encoding
    vocabulary: Vocabulary | None
    loaded: bool
    utf8_bytes: int

    @property
    def exact(self) -> bool:
        """Whether the model itself would count a text so."""
        return self.loaded and self.vocabulary is not None and self.vocabulary.exact

    def bounds(self, tokens: int) -> tuple[int, int] | None:
        """The fewest and the most tokens that a count stands for, or None where nobody knows."""
        if self.vocabulary is None or not self.loaded:
            return None
        return self.vocabulary.bounds(tokens)


@dataclass(frozen=True, slots=True)
class PromptReport:
    """An analysis with all that is to be said about it.

    Attributes:
        analysis: the analysis.
        rules: the rules that it was made by.
        counting: how tokens were counted.
        model: the model, as `provider/id` where the prices know it, else as it was named, or empty.
        minimum: the cache minimum of the model, None where no source states one.
        minimums: the cache minimums that are known of other models.
        terms: prices and volume, when both are known.
        savings: what they come to.
        rate: an exchange rate at which amounts are shown.
    """

    analysis: Analysis
    rules: Rules
    counting: Counting
    model: str = ""
    minimum: CacheMinimum | None = None
    minimums: tuple[CacheMinimum, ...] = ()
    terms: Terms | None = None
    savings: Savings | None = None
    rate: ExchangeRate | None = None

    def state_of(self, minimum: CacheMinimum, tokens: int) -> str:
        """Whether a prefix counted as so many tokens is cached; bounds are the model's own."""
        bounds = self.counting.bounds(tokens) if minimum is self.minimum else None
        return cache_state(minimum, bounds or (tokens, tokens))

    @property
    def caches(self) -> tuple[CacheMinimum, ...]:
        """The cache minimums to show, the model's own first."""
        return (self.minimum, *self.minimums) if self.minimum else self.minimums


def cache_state(minimum: CacheMinimum, bounds: tuple[int, int]) -> str:
    """Whether a prefix of so many tokens, at least and at most, is cached."""
    least, most = bounds
    if least >= minimum.tokens:
        return "above"
    return "unsure" if most >= minimum.tokens else "below"


def reasons(report: PromptReport, locale: Locale) -> Iterator[tuple[str, str]]:
    """Each rule that found something, once, with why that is a finding."""
    for rule in dict.fromkeys(finding.rule for finding in report.analysis.findings):
        why = say(rule, locale) if rule in _OWN_RULES else report.rules.reason(rule, locale)
        yield rule, why
