"""Editors that check a scenario by its JSON Schema see what the program sees."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tokonomi.plan.json_schema import json_schema
from tokonomi.storage.plan_files import template_names

SCHEMA: Any = Draft202012Validator(json_schema())


def template(name: str) -> dict[str, Any]:
    text = files("tokonomi.catalogue").joinpath("plans", f"{name}.toml").read_text("utf-8")
    values = tomllib.loads(text)
    values["plan"]["at"] = str(values["plan"].get("at", "2025-11-01"))
    for rate in values.get("exchange", ()):
        rate["on"] = str(rate["on"])
    return values


def wrong(values: dict[str, Any]) -> list[str]:
    return sorted(error.message for error in SCHEMA.iter_errors(values))


def test_the_schema_is_one_of_its_dialect() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert SCHEMA.schema["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(
    "name", [each for each in template_names() if "extends" not in template(each)]
)
def test_every_template_that_extends_none_is_right_by_the_schema(name: str) -> None:
    assert wrong(template(name)) == []


def test_an_unknown_key_is_wrong_by_the_schema() -> None:
    values = template("coaching-app")
    values["feature"][0]["ouput_tokens"] = 5
    assert "'ouput_tokens' was unexpected" in wrong(values)[0]


def test_a_number_that_is_none_is_wrong_by_the_schema() -> None:
    values = template("coaching-app")
    values["feature"][0]["input_tokens"] = [5]
    assert wrong(values) != []
