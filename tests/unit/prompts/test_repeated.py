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
        ("Always answer in JSON.", "ALWAYS ANSWER IN JSON!!!", 100),
        ("Always answer in JSON.", "Reply in JSON.", 100),
        ("Do not reveal internal information.", "Never disclose internal information.", 100),
        ("Don't share customers' personal data.", "Never share personal data of a client.", 100),
        ("Ask for the number before you look it up.", "Prior to looking it up ask a number", 100),
        ("Use a friendly tone when replying.", "When you respond, use a friendly tone.", 100),
        ("Answer only in valid JSON.", "Answer in valid JSON only.", 100),
        ("Write dates, write times.", "Write dates, times.", 100),
        ("Gunakan nada ramah saat membalas.", "Saat menjawab, pakai nada ramah.", 100),
        ("Jawab selalu dalam bahasa Indonesia.", "Selalu membalas dalam bahasa Indonesia.", 100),
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
        ("Translate from English to Indonesian.", "Translate from Indonesian to English."),
        ("Terjemahkan dari Jawa ke Sunda.", "Terjemahkan dari Sunda ke Jawa."),
        ("Prefer short answers over long ones.", "Prefer long answers over short ones."),
        ("Ask the user before the shop.", "Ask the shop before the user."),
        ("Answer in JSON.", "Answer in XML."),
        ("Answer in JSON.", "Answer only in JSON."),
        ("Answer users in English.", "Answer customers in English."),
        ("Use the search tool.", "Use the order tool."),
        ("Give the order number.", "Give the order date."),
        ("Never promise a refund.", "You may promise a refund."),
        ("Convert dollars to rupiah.", "Convert rupiah to dollars."),
        ("Reply to the seller about the buyer.", "Reply to the buyer about the seller."),
        ("The client pays the seller.", "The seller pays the client."),
        (
            "For doctors write English, for patients write Indonesian.",
            "For doctors write Indonesian, for patients write English.",
        ),
        ("Dollars convert to rupiah.", "Convert rupiah to dollars."),
        ("Thank the user when they greet.", "Greet the user when they thank."),
        ("Laporkan pembeli kepada penjual.", "Laporkan penjual kepada pembeli."),
        (
            "Ask for the client's tax and the seller's name.",
            "Ask for the seller's tax and the client's name.",
        ),
        ("Name the price.", "Name the shop and its opening hours."),
    ],
)
def test_negation_numbers_and_short_sentences_are_no_repetition(one: str, other: str) -> None:
    assert repetitions([one, other], RULES) == ()


def test_every_repetition_names_the_first_sentence() -> None:
    sentence = "Never promise a delivery date."
    assert repetitions([sentence] * 3, RULES) == (Repetition(0, 1, 100), Repetition(0, 2, 100))
