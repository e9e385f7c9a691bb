"""A slice of the fault matrix, and an answer that is resumed, with PostgreSQL as the store."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest
from batch_gateway import gateway_of
from fake_provider import FakeProvider
from gateway_process import GatewayProcess
from test_fault_matrix import CASES, Case, Outcome, assert_met, assert_settled, by_path, outcomes_of
from test_fault_matrix import running as faulty_gateway
from test_resume import (
    ANEW,
    HALF,
    REPORTED,
    REST,
    WHOLE,
    Setting,
    configuration,
    create_budget,
    saying,
)

from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store

NewStore = Callable[[], Path | str]
SLICE: Final = [
    case
    for case in CASES
    if (case.ingress, case.egress) in {("chat", "openai"), ("messages", "gemini")}
]
"""Every failure, within one dialect and between two."""


pytestmark = pytest.mark.parametrize(
    "new_bare_store", ["postgresql"], indirect=True, scope="session"
)
"""What runs on SQLite is in test_fault_matrix.py and test_resume.py."""


@pytest.fixture(scope="module")
def new_database(new_store: NewStore) -> Callable[[], str]:
    """A maker of empty stores in PostgreSQL."""

    def location() -> str:
        found = new_store()
        assert isinstance(found, str)
        return found

    return location


@pytest.fixture(scope="module")
def gateway(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    with (
        FakeProvider(always=by_path) as provider,
        faulty_gateway(provider, tmp_path_factory.mktemp("matrix"), new_database()) as process,
    ):
        yield process


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayProcess) -> Mapping[Case, Outcome]:
    return outcomes_of(gateway, SLICE, at_a_time=8)


@pytest.mark.parametrize("case", SLICE, ids=str)
def test_a_failure_is_met_as_the_table_says(outcomes: Mapping[Case, Outcome], case: Case) -> None:
    assert_met(case, outcomes[case])


def test_nothing_is_held_and_all_that_was_spent_stands_in_rows(
    gateway: GatewayProcess, outcomes: Mapping[Case, Outcome]
) -> None:
    assert_settled(gateway, outcomes)


@pytest.fixture(scope="module")
def setting(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setting]:
    fakes = FakeProvider(), FakeProvider(), FakeProvider()
    with ExitStack() as stack:
        for fake in fakes:
            fake.start()
            stack.callback(fake.stop)
        text = configuration([fake.base_url for fake in fakes])
        process = gateway_of(tmp_path_factory.mktemp("resume"), text, new_database())
        create_budget(process.location, {"id": "all", "amount": "10"})
        process.start()
        stack.callback(process.stop)
        key, _ = process.make_key()
        client = stack.enter_context(process.client(key))
        yield Setting(*fakes, process, key, client)


@pytest.mark.parametrize("then", ["cut", "stall", "error", "early"])
def test_what_broke_off_is_continued_and_both_attempts_are_charged_to_the_budget(
    setting: Setting, then: str
) -> None:
    before = spent(setting)
    setting.script(saying(*HALF, then=then), saying(*REST))
    assert setting.ask("continued") == WHOLE
    first, second = setting.rows()
    assert (first["status"], second["status"]) == ("cut", "ok")
    assert second["note"] == "it continues attempt 1 behind 15 characters"
    assert second["amount"] == REPORTED
    known = first["amount"] + second["amount"]
    assert spent(setting) == before + known + (first["exposure"] or 0)


def test_a_target_that_takes_no_beginning_begins_anew(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying(*ANEW))
    assert setting.ask("fresh") == WHOLE
    assert setting.rows()[1]["note"] == "it repeats attempt 1 and goes on behind 15 characters"


def spent(setting: Setting) -> int:
    """Pico-dollars that were captured on the budget or count as exposed."""
    with closing(open_store(setting.gateway.location)) as database:
        return int(only_row(database, "SELECT sum(debits_posted) FROM account")[0] or 0)
