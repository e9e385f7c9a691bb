"""Sentences that say the same are found; those that differ in what matters are not."""

import pytest

from tokonomi.prompts.repeated import Repetition, repetitions
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()


@pytest.mark.parametrize(
    ("one", "other", "percent"),
    [
        ("Always answer in valid JSON.", "The answer must be in valid JSON!", 100),
        ("Sebutkan nomor pesanan pelanggan.", "Pastikan sebutkan nomor pesanan pelanggan", 100),
        ("Mention the order number and the date.", "Mention the order number, date and shop.", 80),
    ],
)
def test_a_sentence_that_says_the_same_is_a_repetition(one: str, other: str, percent: int) -> None:
    assert repetitions([one, "Something else stands between.", other], RULES) == (
        Repetition(0, 2, percent),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Use emoji in friendly replies.", "Never use emoji in friendly replies."),
        ("Answer in at most 3 short sentences.", "Answer in at most 5 short sentences."),
        ("Pakai singkatan dalam jawaban resmi.", "Jangan pakai singkatan dalam jawaban resmi."),
        ("Refunds take five days if paid by card.", "Refunds take five days."),
        ("Be brief.", "Be brief."),
        ("Name the price.", "Name the shop and its opening hours."),
    ],
)
def test_negation_numbers_and_short_sentences_are_no_repetition(one: str, other: str) -> None:
    assert repetitions([one, other], RULES) == ()


def test_every_repetition_names_the_first_sentence() -> None:
    sentence = "Never promise a delivery date."
    assert repetitions([sentence] * 3, RULES) == (Repetition(0, 1, 100), Repetition(0, 2, 100))
