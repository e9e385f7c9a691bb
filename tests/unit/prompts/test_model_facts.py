"""Cache minimums and vocabularies are found for models as the price book names them."""

import pytest

from tokonomi.errors import BadInput
from tokonomi.prompts.model_facts import read_facts
from tokonomi.storage.price_files import load_book
from tokonomi.storage.prompt_files import load_model_facts

FACTS = load_model_facts()
BOOK = load_book()
MINIMUM = """
about = ""
[[minimum]]
label = "l"
providers = ["p"]
models = ["m"]
tokens = 1
step = 1
marking = "automatic"
source = "s"
read_on = 2026-11-22
"""


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o", 1024),
        ("openai", "gpt-4o-2024-08-06", 1024),
        ("openai", "gpt-5.1", 1024),
        ("openai", "gpt-5.6-sol", 1024),
        ("openai", "gpt-3.5-turbo", None),
        ("anthropic", "claude-opus-5", 512),
        ("anthropic", "claude-opus-5-5", None),
        ("anthropic", "claude-sonnet-4-5", 1024),
        ("anthropic", "claude-sonnet-4-0", 1024),
        ("anthropic", "claude-opus-4-7", 2048),
        ("anthropic", "claude-haiku-4-5", 4096),
        ("anthropic", "claude-haiku-5-5", None),
        ("aws", "global.anthropic.claude-opus-4-5-v1:0", 4096),
        ("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", 1024),
        ("google", "gemini-2.5-flash", 2048),
        ("google", "gemini-3.8-flash", 4096),
        ("google", "gemini-3-flash-preview", None),
        ("google", "claude-haiku-4-5", 4096),
        ("deepseek", "deepseek-chat", 64),
        ("mistral", "mistral-large-4", 64),
        ("x-ai", "grok-4.6", 128),
        ("groq", "openai/gpt-oss-120b", 1024),
        ("openrouter", "anthropic/claude-opus-4.8", 1024),
        ("openrouter", "openai/gpt-5.1", 1024),
        ("openrouter", "openai/gpt-5.1:online", 1024),
        ("local", "smollm2-135m", None),
        ("seed-001", "gpt-5.1", None),
    ],
)
def test_a_model_has_the_minimum_that_its_provider_states(
    provider: str, model: str, tokens: int | None
) -> None:
    entry = BOOK.find(provider, model)
    assert entry is not None
    minimum = FACTS.minimum(entry.provider, entry.model)
    assert (minimum.tokens if minimum else None) == tokens


@pytest.mark.parametrize(
    ("model", "encoding", "bounds"),
    [
        ("gpt-5.1", "o200k_base", (1000, 1000)),
        ("openai/gpt-4o-mini", "o200k_base", (1000, 1000)),
        ("o3", "o200k_base", (1000, 1000)),
        ("gpt-4-turbo", "cl100k_base", (1000, 1000)),
        ("claude-sonnet-4-5", "o200k_base", (1160, 1300)),
        ("anthropic/claude-opus-4.8", "o200k_base", (1160, 1760)),
        ("claude-opus-5-5", "o200k_base", (1160, 1760)),
        ("gemini-3.8-flash", "o200k_base", (1000, 1090)),
        ("llama-3.3-70b-versatile", "o200k_base", (990, 1090)),
    ],
)
def test_a_count_is_exact_or_has_its_bounds(
    model: str, encoding: str, bounds: tuple[int, int]
) -> None:
    vocabulary = FACTS.vocabulary(model)
    assert vocabulary is not None
    assert (vocabulary.encoding, vocabulary.bounds(1000)) == (encoding, bounds)


def test_nothing_is_known_of_a_model_that_no_source_names() -> None:
    assert FACTS.vocabulary("smollm2-135m") is None
    assert FACTS.minimum("nobody", "gpt-4o") is None


def test_a_prefix_is_cached_in_whole_steps_beyond_the_minimum() -> None:
    openai = FACTS.minimum("openai", "gpt-4o")
    anthropic = FACTS.minimum("anthropic", "claude-sonnet-4-5")
    assert openai is not None
    assert anthropic is not None
    lengths = (0, 1023, 1024, 1151, 1152, 2000)
    assert [openai.cached(n) for n in lengths] == [0, 0, 1024, 1024, 1152, 1920]
    assert [anthropic.cached(n) for n in lengths] == [0, 0, 1024, 1151, 1152, 2000]


def test_every_fact_has_a_source_and_a_date() -> None:
    assert all(fact.source and fact.read_on.year > 2025 for fact in FACTS.minimums)
    assert all(vocabulary.source for vocabulary in FACTS.vocabularies)


@pytest.mark.parametrize(
    ("minimums", "said"),
    [
        (MINIMUM.replace("tokens = 1", "tokens = 0"), "a cache minimum of 0 tokens in steps of 1"),
        (MINIMUM.replace('"m"', '"("'), "'(' is not a pattern of models"),
        (MINIMUM.replace("read_on", "on"), "cache_minimums.toml, in minimum number 1"),
    ],
)
def test_a_wrong_fact_is_told(minimums: str, said: str) -> None:
    with pytest.raises(BadInput, match="bad_input") as wrong:
        read_facts(minimums, 'about = ""\nvocabulary = []\n')
    assert said in str(wrong.value)


def test_a_vocabulary_without_figures_has_no_bounds() -> None:
    text = '[[vocabulary]]\nmodels = ["m"]\nencoding = "o200k_base"\nsource = "s"\n'
    [vocabulary] = read_facts(MINIMUM, f'about = ""\n{text}').vocabularies
    assert vocabulary.bounds(10) is None
