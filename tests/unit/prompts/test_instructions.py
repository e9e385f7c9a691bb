"""The instructions in the package are found in both languages, and nothing that says more is."""

import pytest

from tokonomi.prompts.analyse import analyse
from tokonomi.prompts.finding import Kind
from tokonomi.prompts.request import from_text
from tokonomi.storage.prompt_files import load_prompt_rules

RULES = load_prompt_rules()


def found(text: str) -> list[str]:
    analysis = analyse(from_text(text, "p.md"), RULES, len)
    return [finding.rule for finding in analysis.findings if finding.kind is Kind.DEFAULT]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("You are a helpful assistant.", "assistant-role"),
        ("You are a very helpful, friendly and knowledgeable AI assistant", "assistant-role"),
        ("You are a large language model trained by OpenAI.", "assistant-role"),
        ("Act as a professional assistant.", "assistant-role"),
        ("- **Always be polite and professional.**", "be-good"),
        ("Be helpful and professional", "be-good"),
        ("Please be as accurate as possible.", "be-good"),
        ("Always answer the user's questions politely and accurately.", "answer-well"),
        ("Provide clear, accurate and helpful answers.", "answer-well"),
        ("Make sure that your answers are accurate.", "answer-well"),
        ("Respond in a friendly and professional manner.", "answer-well"),
        ("Help the user with their questions.", "help-the-user"),
        ("Your goal is to assist users to the best of your ability.", "help-the-user"),
        ("Do your best.", "help-the-user"),
        ("Read the user's question carefully before answering.", "read-carefully"),
        ("Do not make mistakes.", "no-mistakes"),
        ("Double-check your answer before responding.", "no-mistakes"),
        ("Use proper grammar and spelling.", "good-language"),
        ("Anda adalah asisten AI yang sangat membantu dan ramah.", "peran-asisten"),
        ("Kamu adalah asisten virtual.", "peran-asisten"),
        ("Bertindaklah sebagai asisten yang ramah.", "peran-asisten"),
        ("Selalu bersikap sopan dan profesional kepada pengguna.", "bersikap-baik"),
        ("Bersikaplah ramah.", "bersikap-baik"),
        ("Jawablah pertanyaan pengguna dengan jelas dan sopan.", "jawab-dengan-baik"),
        ("Berikan jawaban yang akurat, jelas, dan bermanfaat.", "jawab-dengan-baik"),
        ("Pastikan jawaban Anda selalu akurat.", "jawab-dengan-baik"),
        ("Bantulah pengguna dengan sebaik mungkin.", "bantu-pengguna"),
        (
            "Bacalah setiap pertanyaan pengguna dengan teliti sebelum menjawab.",
            "baca-dengan-teliti",
        ),
        ("Jangan membuat kesalahan.", "jangan-salah"),
        ("Gunakan bahasa yang baik dan benar.", "bahasa-yang-baik"),
    ],
)
def test_an_instruction_that_models_follow_anyway_is_found(text: str, rule: str) -> None:
    assert found(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "You are a helpful assistant for Toko Maju.",
        "You are a helpful assistant that answers in Javanese.",
        "Be polite and answer in at most 120 words.",
        "Be brief.",
        "Answer the user's questions in JSON.",
        "Provide accurate prices from the table below.",
        "Do not make promises.",
        "Help the user to cancel an order.",
        "Anda adalah asisten Toko Maju.",
        "Jawablah dalam bahasa Jawa.",
        "Bersikaplah sopan dan sebut nomor pesanan.",
        "Gunakan bahasa Sunda.",
        "You are the assistant's editor. ",
    ],
)
def test_a_sentence_that_says_more_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_code_examples_and_documents_are_not_searched_for_instructions() -> None:
    said = "Be polite.\n"
    text = f"```\n{said}```\n## Examples\n{said}## Context\n{said}## Rules\n{said}"
    assert found(text) == ["be-good"]


def test_every_reason_stands_in_both_languages() -> None:
    rules = (*RULES.instructions, *RULES.volatile)
    assert [rule.id for rule in rules if not (rule.why.en and rule.why.id)] == []
