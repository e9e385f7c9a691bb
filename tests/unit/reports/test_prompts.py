"""A prompt's analysis in words: every key in both languages, every state said."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from string import Template

import pytest

from tokonomi.money import Money
from tokonomi.prompts.analyse import analyse
from tokonomi.prompts.request import PromptFile, from_json, from_json_lines, from_text
from tokonomi.prompts.savings import Terms, savings
from tokonomi.reports import prompt_words
from tokonomi.reports.prompt_report import Counting, PromptReport, cache_state
from tokonomi.reports.prompt_words import say
from tokonomi.reports.prompts import PromptForm, prompt_report
from tokonomi.storage.price_files import load_book
from tokonomi.storage.prompt_files import load_model_facts, load_prompt_rules

AT = datetime(2026, 11, 22, tzinfo=UTC)
BOOK = load_book()
FACTS = load_model_facts()
RULES = load_prompt_rules()
FIXED = "\n".join(f"Rule {n}: name the price of article {n}." for n in range(150))
SYSTEM = f"Today is 2026-11-22.\nBe polite.\n{FIXED}"


def report(
    file: PromptFile, model: str = "", *, calls: int = 0, hits: Fraction | None = None
) -> PromptReport:
    analysis = analyse(file, RULES, len)
    entry = BOOK.find("", model)
    vocabulary = FACTS.vocabulary(entry.model if entry else model)
    minimum = FACTS.minimum(entry.provider, entry.model) if entry else None
    terms = Terms(BOOK.row_at("", model, AT), AT, calls, minimum, hits) if calls else None
    return PromptReport(
        analysis,
        RULES,
        Counting("o200k_base", vocabulary, loaded=True, utf8_bytes=999),
        model,
        minimum,
        tuple(each for each in FACTS.minimums if each is not minimum),
        terms,
        savings(analysis, terms) if terms else None,
    )


def text_of(told: PromptReport, form: PromptForm = "table") -> str:
    return prompt_report(told, form).decode()


def test_both_languages_have_the_same_words_with_the_same_figures() -> None:
    english = prompt_words.words("en")
    indonesian = prompt_words.words("id")
    assert english.keys() == indonesian.keys()
    for key, text in english.items():
        figures = set(Template(text).get_identifiers())
        assert set(Template(indonesian[key]).get_identifiers()) == figures, key


def test_a_prompt_without_findings_says_so() -> None:
    text = text_of(report(from_text("Name the price.", "p.md"), "gpt-5.1"))
    assert "Nothing was found.\n" in text
    assert "Tokens: o200k_base, exact for the text of gpt-5.1." in text
    assert "Findings" not in text


SURE = {
    "": "Name the model with --model for its prices",
    "claude-sonnet-4-5": "an estimate for claude-sonnet-4-5: it is seen to make 16 % to 30 % more",
    "smollm2": (
        "how smollm2 counts is not known. A byte-level vocabulary cannot make more of them than "
        "the file has bytes, 999."
    ),
}


@pytest.mark.parametrize("model", SURE)
def test_how_sure_a_count_is_is_said(model: str) -> None:
    assert SURE[model] in text_of(report(from_text("Name the price.", "p.md"), model))


def test_a_count_without_the_vocabulary_is_said_to_be_one_of_bytes() -> None:
    told = report(from_text("Name the price.", "p.md"), "gpt-5.1")
    counting = Counting("o200k_base", told.counting.vocabulary, loaded=False, utf8_bytes=1)
    without = PromptReport(told.analysis, RULES, counting, "gpt-5.1")
    assert "the vocabulary is not installed here; bytes divided by 3 instead" in text_of(without)
    assert json.loads(text_of(without, "json"))["count"] == {
        "encoding": None,
        "exact": False,
        "least": None,
        "most": None,
        "source": FACTS.vocabularies[0].source,
    }


def test_an_unknown_price_is_said_and_never_a_zero() -> None:
    told = report(from_text(SYSTEM, "p.md"), "nobody/x", calls=5)
    text = text_of(told)
    assert "No price: no price source knows nobody/x. An unknown price is not 0." in text
    assert "unpriced" in text
    assert "$" not in text
    month = json.loads(text_of(told, "json"))["month"]
    assert month["cost"] == month["cache"] == {"unpriced": "no price source knows nobody/x"}
    assert (month["saving"], month["price_row"]) == (None, None)


def test_what_a_cache_would_save_is_said_with_its_assumption() -> None:
    text = text_of(report(from_text(SYSTEM, "p.md"), "gpt-5.1", calls=1_000))
    assert "with nothing cached today" in text
    hits = text_of(report(from_text(SYSTEM, "p.md"), "gpt-5.1", calls=1_000, hits=Fraction(1, 2)))
    assert "of which 50.0% find the prefix in the cache today" in hits
    unknown = text_of(report(from_text(SYSTEM, "p.md"), "local/smollm2-135m", calls=1_000))
    assert "What a cache would save is not known: no source states the shortest prefix" in unknown


def test_a_request_that_marks_no_prefix_is_told_what_marking_saves() -> None:
    request = json.dumps({"system": FIXED, "messages": []})
    told = report(from_json(request, "p.json"), "claude-sonnet-4-5", calls=1_000)
    # Each token of it is read at 0.30 instead of 3.00 dollars a million, in a thousand calls.
    saving = Money(len(FIXED) * 2_700_000 * 1_000, "USD")
    assert (
        f"The request marks no prefix (cache_control): marking its {len(FIXED):,} tokens saves "
        f"{saving.format()} a month."
    ) in text_of(told)
    stated = report(
        from_json(request, "p.json"), "claude-sonnet-4-5", calls=1_000, hits=Fraction(4, 5)
    )
    assert "marked, 80.0% of the calls are taken to find it" in text_of(stated)


def test_a_prefix_that_would_fall_below_the_minimum_is_told() -> None:
    text = "Be polite.\n" * 30 + "Name the price in rupiah. " + "word " * 140
    told = report(from_text(text, "p.md"), "gpt-5.1", calls=1_000)
    assert "With every finding mended the prefix has 726 tokens, below the minimum of 1,024" in (
        text_of(told)
    )


def test_several_requests_what_is_left_out_and_images_are_told() -> None:
    image = {"type": "image_url"}
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": [image, {"type": "text", "text": "Hi"}]},
                ],
                "tools": [{"name": "find"}],
            }
        )
        for system in (f"Now: 10:01\n{FIXED}", f"Now: 10:02\n{FIXED}", "T" * 99)
    ]
    text = text_of(report(from_json_lines("\n".join(lines), "c.jsonl")))
    assert "Read 2 requests; turns are their mean." in text
    assert "Left out: 1 requests with another prompt." in text
    assert "Not counted: 1 images or files" in text
    assert "Tools are counted as compact JSON" in text
    assert "differs in 1 of 1 other requests" in text


def test_markdown_keeps_hostile_text_in_its_cell() -> None:
    text = "Be polite.\nSession id: `a|b`\x1b[31m\n\x1b[2J{{x`|\x1b[31my}}\nName the price.\n"
    told = text_of(report(from_text(text, "p|q\x1b.md")), "markdown")
    assert "\x1b" not in told
    assert "`{{x'\\|�[31my}}`" in told
    assert "**p|q�.md:" in told


def test_json_is_sorted_versioned_and_holds_text_without_utf8() -> None:
    request = '{"messages": [{"role": "system", "content": "{{a\\ud800}} x.\\nName the price."}]}'
    told = json.loads(text_of(report(from_json(request, "p.json")), "json"))
    assert list(told) == sorted(told)
    [found] = told["findings"]
    assert (told["version"], found["text"], found["saving"]) == (1, "{{a?}}", None)
    assert request[45:56] == "{{a\\ud800}}"
    assert found["place"] == {
        "line": 1,
        "column": 46,
        "end_line": 1,
        "end_column": 56,
        "start": 45,
        "end": 56,
        "path": "messages[0].content",
        "request": 1,
    }


def test_a_prefix_is_unsure_where_the_minimum_lies_within_the_bounds() -> None:
    minimum = FACTS.minimum("anthropic", "claude-sonnet-4-5")
    assert minimum is not None
    bounds = [(1024, 1300), (1000, 1024), (900, 1023)]
    assert [cache_state(minimum, each) for each in bounds] == ["above", "unsure", "below"]


def test_a_key_without_a_translation_is_itself() -> None:
    assert say("gpt-4o", "id") == "gpt-4o"
