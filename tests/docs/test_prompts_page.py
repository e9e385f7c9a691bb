"""The page on prompt analysis lists every rule and cache minimum, and its example is right."""

import re
from pathlib import Path

from tokonomi.prompts.rule_file import read_rule_file
from tokonomi.prompts.rules import compile_rules
from tokonomi.storage.prompt_files import load_model_facts, load_prompt_rules

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "prompts.md").read_text("utf-8")


def test_the_page_lists_every_rule_with_its_reason_and_no_other() -> None:
    rules = load_prompt_rules()
    listed = re.findall(r"^\| `([a-z-]+)` \|.* ([^|]+) \|$", PAGE, re.MULTILINE)
    every = [*rules.instructions, *rules.volatile]
    assert [rule for rule, _ in listed] == [rule.id for rule in every]
    assert all(
        rule.reason("en").endswith(why) for rule, (_, why) in zip(every, listed, strict=True)
    )


def test_the_page_lists_every_cache_minimum_and_no_other() -> None:
    listed = re.findall(r"^\| (.+) \| ([\d,]+) \| (\d+) \| (\w+) \|$", PAGE, re.MULTILINE)
    facts = [
        (each.label, f"{each.tokens:,}", str(each.step), each.marking)
        for each in load_model_facts().minimums
    ]
    assert listed == facts


def test_the_rules_that_the_page_shows_are_right() -> None:
    [shown] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    rules = compile_rules({"own.toml": read_rule_file(shown.replace('off = ["date"]', ""), "own")})
    assert [rule.id for rule in (*rules.instructions, *rules.volatile)] == ["shop-name", "ticket"]
    assert rules.limits.example_tokens == 200
