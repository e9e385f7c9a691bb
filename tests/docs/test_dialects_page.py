"""The page of dialects says what is carried, and the translation does what the page says."""

import re
import runpy
from pathlib import Path

import pytest
from dialect_fields import FIELD_VALUES
from dialect_samples import HELLO, Json, raw

from tokonomi.dialects import translate
from tokonomi.dialects.destination import Destination, IngressName
from tokonomi.dialects.refusal import Untranslatable

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "dialects.md").read_text("utf-8")
WRITER = runpy.run_path(str(REFERENCE / "write_dialects.py"))
PROVIDERS: dict[str, Destination] = WRITER["PROVIDERS"]
CLIENTS: dict[str, IngressName] = {name: each[0] for name, each in WRITER["CLIENTS"].items()}
CELLS = [
    (client, field, provider, fate)
    for client in CLIENTS
    for rows in [PAGE.partition(f"### From {client}\n")[2].partition("\n### ")[0].splitlines()]
    for heads in [rows[1].strip("| ").split(" | ")[1:]]
    for field, fates in re.findall(r"^\| `(\w+)` \| (.*) \|$", "\n".join(rows), re.MULTILINE)
    for provider, fate in zip(heads, fates.split(" | "), strict=False)
    if fate in {"carried", "dropped", "refused"}
]
NEEDS: dict[str, dict[str, Json]] = {
    "tool_choice": {name: {"tools": each["tools"]} for name, each in FIELD_VALUES.items()},
    "parallel_tool_calls": {name: {"tools": each["tools"]} for name, each in FIELD_VALUES.items()},
    "max_tool_calls": {"openai_responses": {"tools": [{"type": "web_search"}]}},
    "stream_options": {"openai_chat": {"stream": True}},
}
"""What else a request must say for a field to mean something."""

LIMITING = {("max_tool_calls", "OpenAI chat"), ("max_tool_calls", "Gemini")}
"""A number of searches, which the section on web search says is refused."""
UNSAID = {("max_tool_calls", "OpenRouter"), ("stream_options", "*"), ("model", "*")}
"""What holds without a word: one search a request, usage at the end, the destination's model."""


def test_the_page_of_dialects_is_what_the_tables_say() -> None:
    assert WRITER["page"]() == PAGE


def test_the_page_has_a_row_for_every_field_of_every_client() -> None:
    assert {(client, field) for client, field, *_ in CELLS} == {
        (client, field) for client, (_, rules) in WRITER["CLIENTS"].items() for field in rules
    }


@pytest.mark.parametrize(("client", "field", "provider", "fate"), CELLS)
def test_every_cell_of_the_page_is_what_happens(
    client: str, field: str, provider: str, fate: str
) -> None:
    ingress, to = CLIENTS[client], PROVIDERS[provider]
    if {(field, provider), (field, "*")} & UNSAID:
        return
    value = FIELD_VALUES[ingress][field]
    others = {**HELLO[ingress], **NEEDS.get(field, {}).get(ingress, {})}
    result = translate.request(ingress, raw({**others, field: value}), to)
    if isinstance(result, Untranslatable):
        assert fate == "refused" or (field, provider) in LIMITING
        return
    plain = translate.request(ingress, raw(others), to)
    assert not isinstance(plain, Untranslatable)
    changed = (result.path, result.body) != (plain.path, plain.body)
    listed = {re.split(r"[.\[]", each.path)[0] for each in result.dropped}
    # A value that is harmless where others are refused is dropped too.
    assert changed if fate == "carried" else field in listed
