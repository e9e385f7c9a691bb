"""How names are written."""

import pytest

from tokonomi.pricing.names import spellings, split_suffix, tier_of, without_date


def test_a_name_is_tried_as_it_is_before_anything_else() -> None:
    assert [*spellings("openai", "gpt-5.1")] == [("gpt-5.1", "")]


def test_a_name_with_its_provider_and_a_compact_date_is_tried_in_four_spellings() -> None:
    assert [*spellings("openai", "openai/gpt-5.2-20251211")] == [
        ("openai/gpt-5.2-20251211", ""),
        ("gpt-5.2-20251211", "without the prefix openai/"),
        ("openai/gpt-5.2-2025-12-11", "its date written with dashes"),
        ("gpt-5.2-2025-12-11", "without the prefix openai/; its date written with dashes"),
    ]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("gpt-5.2-2026-03-01", "gpt-5.2"),
        ("claude-x-20260301", "claude-x"),
        ("gpt-5.2-20261301", "gpt-5.2-20261301"),
        ("model-20260231", "model-20260231"),
        ("model-2026", "model-2026"),
        ("model-20260301-extra", "model-20260301-extra"),
    ],
)
def test_only_a_real_date_at_the_end_is_taken_off(name: str, plain: str) -> None:
    assert without_date(name) == plain


def test_an_impossible_date_is_not_rewritten_with_dashes() -> None:
    assert [*spellings("openai", "gpt-5.2-20260231")] == [("gpt-5.2-20260231", "")]


def test_the_last_suffix_is_split_off_first() -> None:
    assert split_suffix("a/b:free:online") == ("a/b:free", ":online")
    assert split_suffix("a/b") == ("a/b", "")


@pytest.mark.parametrize(
    ("stated", "batch", "meant"),
    [
        ("default", False, ("standard", False)),
        ("", True, ("standard", True)),
        ("Flex", False, ("flex", False)),
        ("batch", False, ("standard", True)),
        ("auto", False, ("auto", False)),
    ],
)
def test_tiers_are_told_in_our_words(stated: str, batch: bool, meant: tuple[str, bool]) -> None:  # noqa: FBT001
    assert tier_of(stated, batch=batch) == meant
