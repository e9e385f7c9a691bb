"""Texts are cut into sentences, and their marks tell the parts."""

import pytest

from tokonomi.prompts.request import Part
from tokonomi.prompts.units import Unit, sentence_of, units_of
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()


def cut(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in units_of(text, Part.SYSTEM, RULES)]


def parts(text: str) -> list[tuple[str, str]]:
    units = units_of(text, Part.SYSTEM, RULES)
    return [(unit.part.value, text[unit.start : unit.end].strip()) for unit in units]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", " Two!", " Three?"]),
        ("Use e.g. a pan. It is 3.5 cm.", ["Use e.g. a pan.", " It is 3.5 cm."]),
        ("1. First\n2. Second. Third", ["1. First\n", "2. Second.", " Third"]),
        (
            "A long line that runs\nover its end. Next",
            ["A long line that runs\nover its end.", " Next"],
        ),
        ("- be brief\n- be bold", ["- be brief\n", "- be bold"]),
        ("Title\nText", ["Title\n", "Text"]),
        ("\n\nOne.\n\n\nTwo.\n", ["\n\nOne.\n\n\n", "Two.\n"]),
        ("こんにちは。さようなら。", ["こんにちは。", "さようなら。"]),
        ("", []),
        (" \n", [" \n"]),
    ],
)
def test_sentences_and_lines_are_units_with_their_white_space(
    text: str, expected: list[str]
) -> None:
    assert cut(text) == expected


def test_headings_begin_parts_and_end_at_the_next_of_their_level() -> None:
    text = "Be brief.\n## Examples\n### First\nHi\n## Aturan\nTutup.\n# Konteks\nToko.\n"
    assert parts(text) == [
        ("system", "Be brief."),
        ("examples", "## Examples"),
        ("examples", "### First"),
        ("examples", "Hi"),
        ("system", "## Aturan"),
        ("system", "Tutup."),
        ("documents", "# Konteks"),
        ("documents", "Toko."),
    ]


def test_labels_and_tags_begin_parts_too() -> None:
    text = "Contoh 1:\nHalo\n**Rules:**\nOne\n<document id='1'>\nText\n</document>\nAfter"
    assert [part for part, _ in parts(text)] == [
        "examples",
        "examples",
        "system",
        "system",
        "documents",
        "documents",
        "documents",
        "system",
    ]


def test_unknown_labels_tags_and_closing_tags_change_nothing() -> None:
    text = "Examples:\nUser:\nHi\n<b>\n</b>\n</examples>\nBye"
    assert {part for part, _ in parts(text)} == {"examples"}


def test_a_closing_tag_ends_what_was_left_open_in_it() -> None:
    text = "<examples>\n<example>\nHi\n</examples>\nBye"
    assert [part for part, _ in parts(text)] == ["examples"] * 4 + ["system"]


def test_code_tables_headings_and_labels_are_no_sentences() -> None:
    text = "Say so.\n```\nBe polite.\n```\n| a | b |\n# Rules\nFormat:\n<task>\nDo it."
    units = units_of(text, Part.SYSTEM, RULES)
    prose = [text[unit.start : unit.end].strip() for unit in units if unit.prose]
    assert prose == ["Say so.", "Do it."]


def test_a_sentence_has_no_white_space_or_list_mark_around_it() -> None:
    text = "  - [x] 1) Be brief.  \n"
    start, end = sentence_of(text, Unit(0, len(text), Part.SYSTEM))
    assert text[start:end] == "1) Be brief."
    assert sentence_of("  \n", Unit(0, 3, Part.SYSTEM)) == (3, 3)
