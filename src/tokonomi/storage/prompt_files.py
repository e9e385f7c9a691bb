"""Reads what prompts are analysed by: the rules and facts in the package, and the user's rules."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.prompts.model_facts import ModelFacts, read_facts
from tokonomi.prompts.rule_file import RuleFile, read_rule_file
from tokonomi.prompts.rules import Rules, compile_rules

_RULES: Final = ("instructions.toml", "volatile.toml", "sections.toml", "repetition.toml")


def load_prompt_rules(own: Sequence[Path] = ()) -> Rules:
    """The rules in the package, with the user's over them, file by file.

    Raises:
        BadInput: a file cannot be read, or what stands in it is wrong.
    """
    told: dict[str, RuleFile] = dict(_bundled_rules())
    for path in own:
        told[str(path)] = read_rule_file(_text(path), path.name)
    return compile_rules(told)


@cache
def load_model_facts() -> ModelFacts:
    """The cache minimums and vocabularies of models, from `catalogue/prompts`."""
    return read_facts(_bundled("cache_minimums.toml"), _bundled("vocabularies.toml"))


@cache
def _bundled_rules() -> tuple[tuple[str, RuleFile], ...]:
    return tuple((name, read_rule_file(_bundled(name), name)) for name in _RULES)


def _bundled(name: str) -> str:
    return files("tokonomi.catalogue").joinpath("prompts", name).read_text(encoding="utf-8")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput(
            f"the rules {path} cannot be read: {wrong}", remedy="Check the path after --rules."
        ) from wrong
