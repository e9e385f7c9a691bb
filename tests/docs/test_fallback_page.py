"""The page on fallback shows the table of failures and the numbers that the code decides by."""

import re
from pathlib import Path
from typing import get_args

import msgspec

from tokonomi.routing import chain
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.failure import RULES, WHAT, FailureKind, Health, Telling
from tokonomi.routing.provider import PrefixForm

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "fallback.md").read_text("utf-8")
BREAKER = {Health.FAILING: "failed", Health.ALIVE: "went well", Health.SILENT: "not counted"}
WHO = {
    Telling.REQUEST: "1 the client",
    Telling.WAIT: "2 time",
    Telling.PROVIDER: "3 the provider",
    Telling.OPERATOR: "4 you (alarm)",
}


def row_of(kind: FailureKind) -> str:
    rule = RULES[kind]
    cells = (
        f"`{kind}`",
        WHAT[kind],
        str(rule.again),
        str(rule.then),
        BREAKER[rule.health],
        "may be" if rule.may_bill else "no",
        WHO[rule.telling],
    )
    return f"| {' | '.join(cells)} |"


def test_the_page_shows_the_table_of_failures_as_the_code_holds_it() -> None:
    assert [*RULES] == [*WHAT] == [*FailureKind]
    shown = re.findall(r"^\| `\w+` \|(?: [^|]+ \|){6}$", PAGE, re.MULTILINE)
    assert shown == [row_of(kind) for kind in FailureKind]


def test_the_page_states_when_breakers_open_as_the_code_does() -> None:
    fields = msgspec.structs.fields(BreakerRules)
    shown = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE))
    assert shown == {each.name: f"{each.default:g}" for each in fields}


def test_the_page_states_the_pauses_of_the_chain_and_every_form_of_a_beginning() -> None:
    numbers = (
        f"from {chain.FIRST_PAUSE_SECONDS:g} to {chain.LONGEST_PAUSE_SECONDS:g} seconds",
        f"up to {chain.LONGEST_RETRY_AFTER_SECONDS:g} seconds",
    )
    assert [each for each in numbers if each not in PAGE] == []
    _, _, resuming = PAGE.partition("## Resuming an answer")
    forms, _, _ = resuming.partition("## Circuit breakers")
    assert re.findall(r"^\| `(\w+)` \|", forms, re.MULTILINE) == [*get_args(PrefixForm)]
