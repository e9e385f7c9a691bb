"""The page of a scenario's keys is what the classes say, and every key has a meaning."""

import runpy
from pathlib import Path

from tokonomi.plan.told import keys_of, tables

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_scenarios_is_what_the_classes_say() -> None:
    current = runpy.run_path(str(REFERENCE / "write_scenario.py"))["page"]()
    assert (REFERENCE / "scenario.md").read_text("utf-8") == current


def test_every_key_of_a_scenario_says_what_it_means() -> None:
    silent = [
        (path, key.name) for path, table in tables() for key in keys_of(table) if not key.meaning
    ]
    assert silent == []
