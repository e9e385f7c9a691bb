"""The lists of what a body may hold: whole, dated, and each of their words known."""

from collections.abc import Iterator

import pytest

from tokonomi.gateway.request import OUTPUT_LIMITS, parse
from tokonomi.gateway.request_asked import Asked
from tokonomi.gateway.request_reading import asked_of
from tokonomi.gateway.request_rules import (
    ALTERNATIVE,
    LISTED,
    ObjectRule,
    RequestRules,
    rules_of,
)
from tokonomi.providers.adapter import Dialect


def every_rule(rules: RequestRules) -> Iterator[ObjectRule]:
    yield rules.body
    yield from rules.objects.values()
    for group in rules.kinds.values():
        yield from group.of.values()


@pytest.mark.parametrize("dialect", LISTED)
def test_a_list_is_of_its_dialect_and_names_its_sources(dialect: Dialect) -> None:
    rules = rules_of(dialect)
    assert rules.dialect is dialect
    assert rules.sources


@pytest.mark.parametrize("dialect", LISTED)
def test_a_list_can_read_a_body(dialect: Dialect) -> None:
    assert isinstance(asked_of(parse(b'{"model":"m"}', dialect)), Asked)


@pytest.mark.parametrize("dialect", LISTED)
def test_a_name_has_one_rule_and_what_rules_refer_to_is_there(dialect: Dialect) -> None:
    rules = rules_of(dialect)
    refused = {name for each in rules.refused for name in each.names}
    assert refused & (rules.body.free | rules.body.reads.keys()) == set()
    assert {*OUTPUT_LIMITS[dialect]} & (rules.body.free | refused) == set()
    for rule in every_rule(rules):
        assert rule.free & rule.reads.keys() == set()
        assert {
            name for each in rule.needs for name in each.split(ALTERNATIVE)
        } <= rule.reads.keys()
        assert bool(rule.why) == bool(rule.remedy)
        for way in rule.reads.values():
            name, _, argument = way.partition(":")
            if name in {"object", "each", "image_or"}:
                assert argument in rules.objects
            if argument and name in {"content", "items", "kind", "kinds", "tools"}:
                assert argument in rules.kinds
