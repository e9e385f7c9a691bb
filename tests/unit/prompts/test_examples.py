"""Pairs under one heading are examples of their own."""

import pytest

from tokonomi.prompts.examples import examples_in
from tokonomi.prompts.request import Part
from tokonomi.prompts.units import units_of
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()


def cut(text: str) -> list[str]:
    units = units_of(text, Part.EXAMPLES, RULES)
    return [text[each[0].start : each[-1].end] for each in examples_in(text, units)]


@pytest.mark.parametrize(
    "pairs",
    [
        ["# Examples\nInput: one\nOutput: two\n\n", "Input: three\nOutput: four\n"],
        ["# Contoh\n\nTanya: Buka?\nJawab: Ya.\n\n", "Tanya: Tutup?\nJawab: Tidak.\n\n"],
        ["**Q1:** A?\n\n**A1:** B.\n\n", "**Q2:** C?\n\n**A2:** D.\n\n", "**Q3:** E?\n**A3:** F."],
        ["Input:\nsome text\nOutput:\nmore\n\n", "Input:\nA text\n\nOutput:\nMore\n"],
        ["Some calls:\r\nInput: A\r\nOutput: B\r\n\r\n", "Input: C\r\nOutput: D\r\n"],
    ],
)
def test_each_pair_behind_a_blank_line_is_an_example(pairs: list[str]) -> None:
    assert cut("".join(pairs)) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "User: Hi\nAssistant: Hello\nUser: Bye\nAssistant: Bye\n",
        "# Examples\n\nInput: A\n\nOutput: B\n",
        "A long text.\n\nAnother one.\n\nAnd a third.\n",
        "```\nInput: A\n\nInput: B\n```\n",
    ],
)
def test_what_is_no_row_of_pairs_is_one_example(text: str) -> None:
    assert cut(text) == [text]
