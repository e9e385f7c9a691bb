"""An analysis: tokens by part, findings with their places, what differs between requests."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tokonomi.prompts.analyse import LONG_EXAMPLE, MANY_EXAMPLES, analyse
from tokonomi.prompts.finding import Analysis, Finding, Kind
from tokonomi.prompts.request import Part, from_json, from_json_lines, from_text
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()
SHOP = "You help the customers of Toko Maju in Bandung.\n"


def words(text: str) -> int:
    """Words and signs: a count that cuts between words do not change."""
    return len(re.findall(r"[\w-]+|[^\w\s]", text))


def of_text(text: str) -> Analysis:
    return analyse(from_text(text, "p.md"), RULES, words)


def of_requests(*requests: Any) -> Analysis:
    lines = "\n".join(json.dumps(request) for request in requests)
    return analyse(from_json_lines(lines, "c.jsonl"), RULES, words)


def chat(system: str, user: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"messages": messages, **more}


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, int]]:
    return [(each.kind.value, each.text, each.saved_tokens) for each in findings]


def test_tokens_are_told_by_part_and_add_up() -> None:
    analysis = of_text(f"{SHOP}## Examples\nHi\n## Context\nOpen all day.\n")
    assert dict(analysis.parts) == {
        Part.SYSTEM: 10,
        Part.TOOLS: 0,
        Part.EXAMPLES: 4,
        Part.DOCUMENTS: 7,
        Part.TURNS: 0,
    }
    assert (analysis.tokens, analysis.prefix_tokens, analysis.findings) == (21, 21, ())


def test_a_finding_says_where_it_is_and_what_it_would_save() -> None:
    text = f"{SHOP}\n- Be polite and helpful.\n- Name the price in rupiah.\n"
    [found] = of_text(f"{text}- The price is named in rupiah!\n- Be polite.\n").findings[:1]
    assert (found.place.line, found.place.column) == (3, 3)
    assert (found.place.end_line, found.place.end_column) == (3, 24)
    assert text[found.place.start : found.place.end] == found.text == "Be polite and helpful."
    assert (found.rule, found.tokens, found.saved_tokens) == ("be-good", 6, 6)


def test_a_repetition_names_the_sentence_that_it_repeats() -> None:
    text = f"{SHOP}- Name the final price in rupiah.\n\n# Notes\nNAME the final price, in rupiah.\n"
    [found] = of_text(text).findings
    assert found.repeats is not None
    assert (found.kind, str(found.place), str(found.repeats)) == (Kind.REPEATED, "5:1", "2:3")
    assert (found.saved_tokens, found.similarity_percent) == (8, 100)


def test_an_example_is_verbose_beyond_the_limit_alone() -> None:
    long = "word " * 200
    text = f"{SHOP}<example>\n{long}\n</example>\n<example>\nshort\n</example>\n{SHOP}"
    [found, again] = of_text(text).findings
    assert (found.kind, found.tokens, found.saved_tokens) == (Kind.EXAMPLE, 207, 57)
    assert (found.place.line, found.place.end_line, again.kind) == (2, 4, Kind.REPEATED)


def test_pairs_under_one_heading_are_an_example_each() -> None:
    pair = f"Input: {'word ' * 30}\nOutput: {'word ' * 30}\n\n"
    text = f"{SHOP}# Examples\n{pair * 6}"
    assert of_text(text).findings == ()
    longer = f"{SHOP}# Examples\n{pair.replace('Output: ', 'Output: ' + 'more ' * 100)}{pair * 3}"
    [long] = of_text(longer).findings
    assert (long.rule, long.place.line, long.place.end_line) == (LONG_EXAMPLE, 2, 4)
    found = of_text(f"{SHOP}# Examples\n{pair * 8}").findings
    assert [(each.rule, each.place.line) for each in found] == [(MANY_EXAMPLES, 24)]


def test_examples_that_are_short_alone_can_be_verbose_together() -> None:
    block = f"<example>\n{'word ' * 100}\n</example>\n"
    assert of_text(SHOP + block * 4).findings == ()
    analysis = of_text(SHOP + block * 6)
    assert [(each.rule, each.saved_tokens) for each in analysis.findings] == [
        (MANY_EXAMPLES, 85),
        (MANY_EXAMPLES, 107),
    ]
    assert [each.place.line for each in analysis.findings] == [14, 17]
    assert analysis.saved_tokens == 6 * 107 - 450


def test_what_a_long_example_saves_is_not_saved_by_all_of_them_again() -> None:
    long, short = (f"<example>\n{'word ' * size}\n</example>\n" for size in (200, 100))
    analysis = of_text(SHOP + long * 2 + short * 2)
    assert [(each.rule, each.saved_tokens) for each in analysis.findings] == [
        (LONG_EXAMPLE, 57),
        (LONG_EXAMPLE, 57),
        (MANY_EXAMPLES, 64),
    ]
    assert analysis.parts[Part.EXAMPLES] - analysis.saved_tokens == 450


def test_volatile_text_matters_only_with_fixed_text_behind_it() -> None:
    date = "Today is 2026-11-22.\n"
    [found] = of_text(f"{date}{SHOP}").findings
    assert (found.kind, found.rule, found.text) == (Kind.VOLATILE, "current-date", "2026-11-22")
    assert (found.tokens, found.saved_tokens, found.behind_tokens) == (1, 0, 11)
    assert of_text(f"{date}{SHOP}").prefix_tokens == 2
    assert of_text(f"{SHOP}{date}").findings == ()
    assert of_text(f"{SHOP}{date}").prefix_tokens == 12


def test_text_that_may_be_volatile_is_shown_and_does_not_break_the_prefix() -> None:
    analysis = of_text(f"Prices of 1 January 2026.\n{SHOP}")
    [found] = analysis.findings
    assert (found.kind, found.certain, found.saved_tokens) == (Kind.VOLATILE, False, 0)
    assert analysis.prefix_tokens == analysis.tokens


def test_a_brace_in_fenced_code_may_be_the_codes_own() -> None:
    code = "```js\nf(`${name} {x}`)\n```\n"
    [found] = of_text(f"{SHOP}{code}{SHOP}").findings[:1]
    assert (found.text, found.certain) == ("${name}", False)


def test_two_findings_never_overlap_each_other() -> None:
    text = f"Session id: a-1\nBe polite.\nBe polite.\nSession id: a-1\n{SHOP}"
    assert told(of_text(text).findings) == [
        ("volatile_text", "a-1", 0),
        ("default_instruction", "Be polite.", 3),
        ("default_instruction", "Be polite.", 3),
        ("volatile_text", "a-1", 0),
    ]


def test_volatile_text_of_several_requests_is_what_differs() -> None:
    rules = "Never promise a date.\nName the price in rupiah."
    requests = [
        chat(f"Now: {time}\n{SHOP}User: {user}\n{rules}", question, model="m")
        for time, user, question in (
            ("10:01", "ani", "Where is it?"),
            ("10:05", "ani", "How much?"),
            ("11:00", "budi", "One two three four five six"),
        )
    ]
    analysis = of_requests(*requests)
    found = [(each.text, each.differing, each.instead) for each in analysis.findings]
    assert found == [("10:01", 2, "10:05"), ("ani", 1, "budi")]
    assert (analysis.requests, analysis.left_out, analysis.model) == (3, 0, "m")
    assert (analysis.parts[Part.TURNS], analysis.prefix_tokens) == (4, 2)


def test_what_differs_only_in_the_turns_breaks_nothing() -> None:
    analysis = of_requests(chat(SHOP, "one"), chat(SHOP, "two three four"))
    assert (analysis.findings, analysis.prefix_tokens, analysis.tokens) == ((), 10, 12)


def test_a_request_without_turns_still_has_the_mean_of_the_others() -> None:
    system = {"messages": [{"role": "system", "content": SHOP}]}
    analysis = of_requests(system, chat(SHOP, "one two three four"))
    assert (analysis.parts[Part.TURNS], analysis.tokens) == (2, 12)


def test_requests_with_another_prompt_are_left_out() -> None:
    analysis = of_requests(chat(SHOP, "a"), chat("Translate this text.", "b"), chat(SHOP, "c"))
    assert (analysis.requests, analysis.left_out, analysis.findings) == (2, 1, ())


def test_a_tool_that_differs_is_found_where_it_does() -> None:
    def tool(day: str) -> list[dict[str, Any]]:
        return [{"name": "find", "description": f"Orders until {day}"}]

    lines = [json.dumps(chat(SHOP, "a", tools=tool(day))) for day in ("2026-11-21", "2026-11-22")]
    text = "\n".join(lines)
    [found] = analyse(from_json_lines(text, "c.jsonl"), RULES, words).findings
    assert (found.part, found.text, found.place.path) == (Part.TOOLS, "2026-11-21", "tools[0]")
    assert text[found.place.start : found.place.end] == "2026-11-21"


def test_system_text_after_the_first_turn_is_searched_but_in_no_prefix() -> None:
    messages = [
        {"role": "system", "content": SHOP},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Session id: a-1\nBe polite."},
    ]
    analysis = analyse(from_json(json.dumps(messages), "p.json"), RULES, words)
    assert told(analysis.findings) == [("default_instruction", "Be polite.", 3)]
    assert (analysis.prefix_tokens, analysis.parts[Part.SYSTEM]) == (10, 17)


TEXT = "Today is 2026-11-22.\nBe polite. Be polite to everybody who asks. " * 3


def by_thirds(text: str) -> int:
    return -(-len(text) // 3)


def of_the_whole_alone(text: str) -> int:
    return 7 if text == TEXT else 0


@pytest.mark.parametrize("count", [len, by_thirds, of_the_whole_alone])
def test_tokens_of_pieces_add_up_to_the_count_of_the_whole(count: Callable[[str], int]) -> None:
    assert analyse(from_text(TEXT, "p"), RULES, count).tokens == count(TEXT)
