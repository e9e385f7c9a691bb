"""The JSON Schema of a scenario's file, for editors that complete and check TOML by one."""

from typing import Any, Final

import msgspec

from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Scenario
from tokonomi.plan.told import keys_of, summary_of, tables

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PERCENTILES: Final = {
    "type": "object",
    "minProperties": 2,
    "patternProperties": {"^p([0-9]|[1-9][0-9]|100)$": {"type": ["number", "string"]}},
    "additionalProperties": False,
}
_RECORDED: Final = {
    "type": "object",
    "properties": {
        "values": {"type": "array", "minItems": 1, "items": {"type": ["number", "string"]}}
    },
    "required": ["values"],
    "additionalProperties": False,
}


def json_schema() -> dict[str, Any]:
    """The schema: every key with its form and its meaning; unknown keys are errors.

    >>> schema = json_schema()
    >>> schema["$defs"]["Feature"]["properties"]["turns"]["description"]
    'calls of one use; each turn is a message and its answer.'
    """
    (scenario,), definitions = msgspec.json.schema_components(
        [Scenario], schema_hook=_number, ref_template="#/$defs/{name}"
    )
    for _, table in tables():
        _describe(definitions[table.__name__], table)
    return {"$schema": DIALECT, "title": "A plan of Tokonomi", **scenario, "$defs": definitions}


def _number(kind: type) -> dict[str, Any]:
    assert issubclass(kind, Quantity), f"{kind} is no number of a scenario"
    return {
        "description": f"{kind.wanted}, or a distribution of one",
        "anyOf": [{"type": ["number", "string"]}, _PERCENTILES, _RECORDED],
    }


def _describe(definition: dict[str, Any], table: type[msgspec.Struct]) -> None:
    definition["description"] = summary_of(table)
    for key in keys_of(table):
        if key.meaning:
            stated = definition["properties"][key.name]
            # A reference beside other keywords is right in this dialect of the schema.
            stated["description"] = key.meaning
