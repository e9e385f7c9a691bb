"""Rules and facts on prompts are found in the package and at the user's path."""

from pathlib import Path

import pytest

from tokonomi.errors import BadInput
from tokonomi.storage.prompt_files import load_model_facts, load_prompt_rules


def test_the_bundled_files_are_right_and_the_facts_are_read_once() -> None:
    rules = load_prompt_rules()
    assert len(rules.instructions) == 14
    assert {rule.id for rule in rules.volatile if not rule.certain} == {"date", "braces", "hash"}
    assert load_model_facts() is load_model_facts()


def test_the_users_rules_lie_over_those_in_the_package(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'off = ["date"]\n[[instruction]]\nid = "shop"\npatterns = ["be {quality} to us"]\n'
        'why = { en = "We are." }\n'
    )
    rules = load_prompt_rules([own])
    assert rules.instructions[-1].reason("id") == "We are."
    assert "date" not in {rule.id for rule in rules.volatile}
    assert len(load_prompt_rules().instructions) == 14


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_rules_that_cannot_be_read_are_told_with_their_path(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "none.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"the rules .*none\.toml cannot be read"):
        load_prompt_rules([path])
