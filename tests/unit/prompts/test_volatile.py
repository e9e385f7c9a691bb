"""Volatile text is told by patterns in one prompt and by comparison in several."""

import pytest

from tokonomi.prompts.volatile import by_comparison, by_pattern
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()


@pytest.mark.parametrize(
    ("text", "rule", "seen"),
    [
        ("Today is Sunday, 22 November 2026.", "current-date", "Sunday, 22 November 2026"),
        ("Current date: {{date}}", "current-date", "{{date}}"),
        ("Hari ini Minggu, 22 November 2026.", "current-date", "Minggu, 22 November 2026"),
        ("Tanggal sekarang: 22/11/2026.", "current-date", "22/11/2026"),
        ("Logged 2026-11-22T10:01:00Z here", "timestamp", "2026-11-22T10:01:00Z"),
        (
            "Key 7b1d9f36-0f3e-4c1a-9a55-6e3f0a3e9b11.",
            "uuid",
            "7b1d9f36-0f3e-4c1a-9a55-6e3f0a3e9b11",
        ),
        ("Hello {{ customer.first }}!", "placeholder", "{{ customer.first }}"),
        ("Hello ${name}", "placeholder", "${name}"),
        ("Hello {user_name}", "placeholder", "{user_name}"),
        ("The user's name is Ani Wijaya.", "person", "Ani Wijaya"),
        ("You are talking to Ani Wijaya about pans.", "person", "Ani Wijaya"),
        ("Nama pelanggan: Budi", "person", "Budi"),
        ("Session id: a81-77", "identifier", "a81-77"),
        ("ID pesanan: 4711", "identifier", "4711"),
    ],
)
def test_text_that_differs_from_call_to_call_is_found(text: str, rule: str, seen: str) -> None:
    [found] = by_pattern(text, RULES)
    assert (found.rule, found.certain, text[found.start : found.end]) == (rule, True, seen)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Prices hold from 1 January 2026 on.", "date"),
        ("Prices hold from January 1st, 2026 on.", "date"),
        ("Prices hold from 2026-01-01 on.", "date"),
        ("Answer with {thing}.", "braces"),
        ("Commit 0123456789abcdef0123456789abcdef", "hash"),
    ],
)
def test_what_may_as_well_be_fixed_is_only_shown(text: str, rule: str) -> None:
    [found] = by_pattern(text, RULES)
    assert (found.rule, found.certain) == (rule, False)


@pytest.mark.parametrize(
    "text",
    [
        'Answer as {"name": "text"}.',
        "You are talking to customers of the shop.",
        "In 2026 the shop has 3 floors.",
        "Today we have pans.",
        "Tell the current time, and then the order.",
        "The session id is secret.",
        "Sekarang jelaskan aturan.",
    ],
)
def test_fixed_text_is_left_alone(text: str) -> None:
    assert by_pattern(text, RULES) == ()


def test_what_differs_between_requests_is_found_in_whole_words() -> None:
    own = ["You help.\n", "Date: 2026-11-22\n", "Be brief.\n", "User: ani\n"]
    second = ["You help.\n", "Date: 2026-11-23\n", "Be brief.\n", "User: ani\n"]
    third = ["You help.\n", "Date: 2026-11-24\n", "Be brief.\n", "User: budi\n"]
    text = "".join(own)
    found = by_comparison(own, [(second, 3), (third, 1)])
    assert [(text[each.start : each.end], each.differing, each.instead) for each in found] == [
        ("2026-11-22", 4, "2026-11-23"),
        ("ani", 1, "budi"),
    ]


def test_text_that_only_another_request_has_is_told_at_the_word_behind_it() -> None:
    own = ["You help.\n", "Be brief.\n"]
    found = by_comparison(own, [(["You help.\n", "Note: late.\n", "Be brief.\n"], 1)])
    text = "".join(own)
    assert [(text[each.start : each.end], each.instead) for each in found] == [
        ("Be", "Note: late.")
    ]
    at_the_end = by_comparison(["You help."], [(["You help.", " More."], 1)])
    assert [(each.start, each.end) for each in at_the_end] == [(0, 3)]


def test_text_that_only_the_first_request_has_is_told_in_full() -> None:
    own = ["You help.\n", "Note: late.\n", "Be brief.\n"]
    [found] = by_comparison(own, [(["You help.\n", "Be brief.\n"], 1)])
    assert ("".join(own)[found.start : found.end], found.instead) == ("Note: late.\n", "")


def test_equal_requests_have_nothing_that_differs() -> None:
    assert by_comparison(["a", "b"], [(["a", "b"], 7)]) == ()
