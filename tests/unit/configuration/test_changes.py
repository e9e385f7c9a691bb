"""What lies between two documents, and what applying a part of one comes to."""

from datetime import UTC, datetime

from tokonomi.configuration.canonical import Reading
from tokonomi.configuration.changes import (
    FieldChange,
    ItemChange,
    changes_between,
    laid_over,
)
from tokonomi.configuration.checks import warnings
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.configuration.reading import Stated, read_texts
from tokonomi.configuration.schema import document_schema
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.overlay import compile_overlay

READING = Reading({"UTC"})
HOUSE = Item(Kind.MODEL, "house")
BEFORE = """
[providers.a]
base_url = "https://a/v1"
[models.house]
provider = "a"
[models.old]
provider = "a"
"""
AFTER = """
[providers.a]
base_url = "https://b/v1"
timeouts = { total = 9.5 }
[models.house]
attempts = 3
[[models.house.targets]]
provider = "a"
[[models.house.targets]]
provider = "a"
model = "x"
"""


def stated(text: str) -> Stated:
    return read_texts({"t.toml": text}, READING)


def document(text: str) -> Document:
    return stated(text).document


def test_changes_are_told_item_by_item_and_value_by_value() -> None:
    changes = changes_between(document(BEFORE), document(AFTER))
    assert [(change.verb, str(change.item)) for change in changes] == [
        ("change", "providers.a"),
        ("change", "models.house"),
        ("remove", "models.old"),
    ]
    assert changes[0].fields == (
        FieldChange("base_url", "https://a/v1", "https://b/v1"),
        FieldChange("timeouts.total", None, 9.5),
    )
    assert changes[1].fields == (
        FieldChange("provider", "a", None),
        FieldChange("targets[1].provider", None, "a"),
        FieldChange("targets[2].provider", None, "a"),
        FieldChange("targets[2].model", None, "x"),
        FieldChange("attempts", None, 3),
    )
    assert changes[2].fields == (FieldChange("provider", "a", None),)
    assert changes_between(document(AFTER), document(AFTER)) == ()
    assert ItemChange(HOUSE, None, {"provider": "a"}).verb == "add"


def test_lists_of_values_are_compared_as_wholes() -> None:
    change = ItemChange(HOUSE, {"each": ["user"]}, {"each": ["user", "key"]})
    assert change.fields == (FieldChange("each", ["user"], ["user", "key"]),)


def test_what_is_not_named_stays_unless_its_kind_is_pruned() -> None:
    current = document(f"{BEFORE}[[wallet_rule]]\nper = 'user'")
    part = stated("[models.house]\nprovider = 'a'\nmodel = 'x'")
    kept = laid_over(current, part)
    assert kept.models["house"].targets[0].model == "x"
    assert kept.tables.keys() == current.tables.keys()
    pruned = laid_over(current, part, prune=True)
    assert {str(item) for item in current.tables} - {str(item) for item in pruned.tables} == {
        "models.old"
    }


def test_a_kind_that_is_named_without_an_item_is_pruned_to_nothing() -> None:
    current = document("[[wallet_rule]]\nper = 'user'")
    assert laid_over(current, stated("wallet_rule = []"), prune=True) == Document()


def test_what_is_probably_not_meant_is_warned_of() -> None:
    text = f"""{BEFORE}
        [models.long]
        attempts = 1
        targets = [{{ provider = "a" }}, {{ provider = "a", model = "y" }}]
        [models."a/*"]
        provider = "a"
    """
    book = PriceBook(Catalogue([], "1"), compile_overlay({}))
    told = [*warnings(document(text), book, at=datetime(2026, 1, 30, tzinfo=UTC))]
    assert [each.partition(":")[0] for each in told] == [
        "calls of 'house' will have no cost",
        "calls of 'long' will have no cost",
        "calls of 'long' will have no cost",
        "calls of 'old' will have no cost",
        "models.long has 2 targets and 1 attempts",
    ]


def test_the_schema_knows_every_section() -> None:
    schema = document_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(f"'{kind.section}'" in str(schema) for kind in Kind)
