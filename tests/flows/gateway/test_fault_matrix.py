"""Every failure of a provider, in every pair of dialects, streamed and not, on real sockets.

All cases run at once against one gateway, each with a healthy call after it; then each is judged.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import available_timezones

import pytest
from batch_gateway import gateway_of
from dialect_client import QUESTION, Told, asked
from fake_provider import BEHAVIOURS, STREAM_HEAD, Answer, Deaf, FakeProvider, Hangup, Received
from gateway_process import GatewayProcess
from spoken_answers import (
    HALF,
    INPUT,
    OUTPUT,
    PIECES,
    TEXT,
    Says,
    babbles_html,
    overflows,
    refuses,
)

from tokonomi.budgets.table import budget_from_table
from tokonomi.providers.token_estimate import estimated_tokens
from tokonomi.routing.failure import RULES, FailureKind
from tokonomi.storage import budget_store
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

K = FailureKind
INPUT_RATE: Final = 150_000
OUTPUT_RATE: Final = 600_000
"""Pico-dollars a token of the one model here."""
COST: Final = INPUT * INPUT_RATE + OUTPUT * OUTPUT_RATE
AT_A_TIME: Final = 24
Behaviour = Callable[[Received], Answer]
End = Literal["fallback", "stop", "broken", "whole"]
"""How a request ends: another target answers, the failure is told, or comes as an error in the
stream, or there is none: the answer is whole and only its usage is odd."""


@dataclass(frozen=True)
class Fault:
    """A failure, and what must come of it.

    Attributes:
        behaviour: what the provider does; None where it is not reached.
        kind: what the table of failures calls it; None for an odd usage.
        late: whether a stream fails behind its first content.
        only: whether it is one of whole answers, or of streams.
        cost: of an answer with an odd usage; None where that is not known.
        estimated: whether its usage is an estimate.
        billed: whether the provider may bill it, where the table does not say it.
    """

    behaviour: Behaviour | None
    kind: FailureKind | None
    late: bool = False
    only: Literal["", "whole", "stream"] = ""
    cost: int | None = COST
    estimated: bool = False
    billed: bool | None = None

    def end(self, *, stream: bool) -> End:
        if self.kind is None:
            return "whole"
        if self.late and stream:
            return "broken"
        return "stop" if RULES[self.kind].then == "stop" else "fallback"


async def hangs_up(_request: Received) -> Answer:
    for part in ():
        yield part
    raise Hangup


async def says_no_word(request: Received) -> Answer:
    """A stream whose content never comes."""
    async for part in Says((), then="stall")(request):
        yield part


async def ends_at_once(_request: Received) -> Answer:
    yield STREAM_HEAD + b"0\r\n\r\n"


HUGE: Final = 10**30
FAULTS: Final[Mapping[str, Fault]] = {
    "connect-refused": Fault(None, K.CONNECT),
    "connect-timeout": Fault(None, K.CONNECT),
    "no-tls": Fault(None, K.TLS),
    "hangs-up": Fault(hangs_up, K.CONNECTION_LOST),
    "no-http": Fault(BEHAVIOURS["not-http"], K.CONNECTION_LOST),
    "silent": Fault(BEHAVIOURS["silent"], K.FIRST_BYTE_TIMEOUT),
    "no-first-token": Fault(says_no_word, K.FIRST_TOKEN_LATE, only="stream"),
    **{
        f"status-{status}": Fault(refuses(status), kind)
        for status, kind in {
            400: K.BAD_REQUEST,
            401: K.UNAUTHORIZED,
            402: K.QUOTA_EXHAUSTED,
            403: K.FORBIDDEN,
            404: K.NOT_FOUND,
            408: K.REQUEST_TIMEOUT,
            409: K.CONFLICT,
            413: K.TOO_LARGE,
            422: K.UNPROCESSABLE,
            425: K.TOO_EARLY,
            500: K.SERVER_ERROR,
            502: K.BAD_GATEWAY,
            503: K.UNAVAILABLE,
            504: K.GATEWAY_TIMEOUT,
            529: K.OVERLOADED,
        }.items()
    },
    "status-429": Fault(refuses(429, "retry-after: 3\r\n"), K.RATE_LIMITED),
    "context-overflow": Fault(overflows, K.CONTEXT_OVERFLOW),
    "malformed": Fault(babbles_html, K.MALFORMED_BODY),
    "no-events": Fault(ends_at_once, K.CUT_STREAM, only="stream"),
    "empty": Fault(Says(()), K.EMPTY_ANSWER),
    "filtered": Fault(Says((), "filtered"), K.CONTENT_FILTER),
    "error-under-200": Fault(Says((), then="error"), K.OVERLOADED, billed=False),
    "cut-early": Fault(Says((), then="cut"), K.CUT_STREAM),
    "cut-late": Fault(Says(HALF, then="cut"), K.CUT_STREAM, late=True),
    "ends-early": Fault(Says(HALF, then="early"), K.CUT_STREAM, late=True, only="stream"),
    "error-late": Fault(Says(HALF, then="error"), K.CUT_STREAM, late=True, only="stream"),
    "stall-late": Fault(Says(HALF, then="stall"), K.STALLED_STREAM, late=True),
    "usage-missing": Fault(Says(counts=None), None, estimated=True),
    "usage-zero": Fault(Says(counts=(0, 0)), None, cost=0),
    "usage-negative": Fault(Says(counts=(-5, OUTPUT)), None, cost=None),
    "usage-text": Fault(Says(counts=("many", OUTPUT)), None, cost=None),
    "usage-huge": Fault(Says(counts=(HUGE, OUTPUT)), None, cost=None),
    "usage-twice": Fault(Says(twice=True), None, only="stream"),
}

PAIRS: Final = (
    ("chat", "openai"),
    ("chat", "anthropic"),
    ("chat", "gemini"),
    ("messages", "anthropic"),
    ("messages", "openai"),
    ("messages", "gemini"),
    ("responses", "native"),
    ("responses", "openai"),
    ("responses", "anthropic"),
    ("responses", "gemini"),
)
"""What clients speak, and what providers do; `native` is OpenAI's interface with its responses."""
EGRESS: Final = {
    "openai": "",
    "native": 'also = ["responses"]',
    "anthropic": 'dialect = "anthropic"',
    "gemini": 'dialect = "gemini"',
}


class Case(NamedTuple):
    fault: str
    ingress: str
    egress: str
    stream: bool

    def __str__(self) -> str:
        how = "stream" if self.stream else "whole"
        return f"{self.fault}-{self.ingress}-to-{self.egress}-{how}"

    @property
    def is_meant(self) -> bool:
        only = FAULTS[self.fault].only
        return not only or (only == "stream") is self.stream


CASES: Final = [
    case
    for fault in FAULTS
    for ingress, egress in PAIRS
    for stream in (False, True)
    if (case := Case(fault, ingress, egress, stream)).is_meant
]


class Outcome(NamedTuple):
    faulty: Told
    healthy: Told


def configuration(urls: Mapping[str, str]) -> str:
    """A provider for each fault and dialect, each with an alias that falls back on a sane one."""
    parts = [
        """
[store]
path = "tokonomi.db"

[listen]
port = 0

[breaker]
minimum_calls = 100000

[[prices.model]]
provider = "fake"
id = "m"
source = "our tests"
max_output = 100

[[prices.model.price]]
source = "our tests"
rates = { input = "0.15", output = "0.60" }
"""
    ]
    for name in ("well", *FAULTS):
        for egress, terms in EGRESS.items():
            parts.append(
                provider_section(f"{name}-{egress}", urls.get(name, urls[""]), name, terms)
            )
            parts.append(_alias(f"{name}-{egress}", first_token=name == "no-first-token"))
    return "".join(parts)


def provider_section(name: str, url: str, fault: str, terms: str) -> str:
    """A provider at a path that says how it fails; one that is well is given all the time."""
    patience = 0.5 if fault in FAULTS else 10
    return f"""
[providers.{name}]
base_url = "{url}/{fault}/v1"
allow_private = true
price_as = "fake"
timeouts = {{ connect = {patience}, first_byte = {patience}, between_chunks = {patience} }}
{terms}
"""


def _alias(name: str, *, first_token: bool) -> str:
    limit = ", first_token_seconds = 0.3" if first_token else ""
    return f"""
[models.{name}]
targets = [
  {{ provider = "{name}", model = "m"{limit} }},
  {{ provider = "well-openai", model = "m" }},
]
"""


async def by_path(request: Received) -> Answer:
    """Fails as the beginning of the path says, if it does."""
    behaviour = FAULTS[name].behaviour if (name := request.path.split("/")[1]) in FAULTS else WELL
    assert behaviour is not None
    async for part in behaviour(request):
        yield part


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(always=by_path) as fake:
        yield fake


WELL: Final = Says()


@pytest.fixture(scope="module")
def gateway(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("matrix")
    with running(provider, folder, folder / "tokonomi.db") as process:
        yield process


@contextmanager
def running(
    provider: FakeProvider, folder: Path, location: Path | str
) -> Generator[GatewayProcess]:
    """A gateway with a provider for each fault, on a store of either database."""
    here = f"127.0.0.1:{provider.port}"
    with Deaf() as deaf:
        urls = {
            "": f"http://{here}",
            "connect-refused": "http://127.0.0.1:9",
            "connect-timeout": deaf,
            "no-tls": f"https://{here}",
        }
        process = gateway_of(folder, configuration(urls), location)
        with closing(open_store(process.location)) as database:
            stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "1000"}
            budget = budget_from_table(stated, zones=available_timezones())
            budget_store.create(database, budget, now=datetime.now(UTC))
        process.start()
        yield process
        process.stop()


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayProcess) -> Mapping[Case, Outcome]:
    """Every case, run."""
    return outcomes_of(gateway, CASES)


def outcomes_of(
    gateway: GatewayProcess, cases: Sequence[Case], *, at_a_time: int = AT_A_TIME
) -> Mapping[Case, Outcome]:
    """Cases, run, with the rows that they left."""
    key, _ = gateway.make_key()
    found = asyncio.run(run_all(gateway.url, key, cases, at_a_time))
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in gateway.rows():
        rows.setdefault(row["request_id"], []).append(row)
    for outcome in found.values():
        for told in outcome:
            told.rows = rows.get(told.request_id, [])
    return found


async def run_all(url: str, key: str, cases: Sequence[Case], at_a_time: int) -> dict[Case, Outcome]:
    """What became of each case, many at once."""
    places = asyncio.Semaphore(at_a_time)

    async def run(case: Case) -> Outcome:
        async with places:
            ask = partial(asked, url, key, case.ingress, stream=case.stream)
            return Outcome(
                await ask(f"{case.fault}-{case.egress}"), await ask(f"well-{case.egress}")
            )

    return dict(zip(cases, await asyncio.gather(*map(run, cases)), strict=True))


def cost_of(row: dict[str, Any]) -> int:
    """What a row must cost by its own counts, worked out beside the gateway."""
    return row["uncached_input"] * INPUT_RATE + row["output"] * OUTPUT_RATE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_failure_is_met_as_the_table_says(outcomes: Mapping[Case, Outcome], case: Case) -> None:
    assert_met(case, outcomes[case])


def assert_met(case: Case, outcome: Outcome) -> None:
    """Asserts that a case ended as the table says, and that the healthy call after it did well."""
    fault, (told, healthy) = FAULTS[case.fault], outcome
    assert (healthy.status, healthy.text, healthy.ended, healthy.error) == (200, TEXT, True, False)
    [row] = healthy.rows
    assert (row["status"], row["amount"], row["exposure"]) == ("ok", COST, None)
    JUDGED[fault.end(stream=case.stream)](case, fault, told)


def _fell_back(case: Case, fault: Fault, told: Told) -> None:
    assert (told.status, told.text, told.ended, told.error) == (200, TEXT, True, False)
    first, second = told.rows
    _failed(first, case, fault)
    assert (second["status"], second["route"], second["amount"]) == ("ok", "fallback", COST)


def _stopped(case: Case, fault: Fault, told: Told) -> None:
    assert (told.error, told.ended, told.status) == (True, False, int(case.fault[-3:]))
    [row] = told.rows
    _failed(row, case, fault)


def _failed(row: dict[str, Any], case: Case, fault: Fault) -> None:
    assert row["status"] == "failed" or (row["status"] == "cut" and case.stream)
    assert fault.kind is not None
    billed = RULES[fault.kind].may_bill if fault.billed is None else fault.billed
    if row["source"] == "reported":
        assert (row["amount"], row["exposure"]) == (cost_of(row), None)
    else:
        assert (row["exposure"] is not None) is billed, row["note"]
        assert row["amount"] in {None, cost_of(row)}


def question_of(case: Case) -> int:
    """The estimate of the question's tokens; chat and messages put some around a turn."""
    around = 0 if case.ingress == "responses" else 4
    return estimated_tokens(f"user\n{QUESTION}") + around


def _broke_off(case: Case, _fault: Fault, told: Told) -> None:
    assert (told.status, told.text, told.ended, told.error) == (200, "".join(HALF), False, True)
    [row] = told.rows
    assert (row["status"], row["source"]) == ("cut", "estimated")
    assert row["output"] == estimated_tokens("".join(HALF))
    # Anthropic's streams begin with the count of the input; what was written is counted by us.
    told_at_once = case.egress == "anthropic"
    assert row["uncached_input"] == (INPUT if told_at_once else question_of(case))
    assert row["amount"] == cost_of(row)
    assert row["exposure"] > 0


def _answered(case: Case, fault: Fault, told: Told) -> None:
    assert (told.status, told.text, told.ended, told.error) == (200, TEXT, True, False)
    [row] = told.rows
    assert row["status"] == "ok"
    if fault.estimated:
        assert row["source"] == "estimated"
        counted = question_of(case), estimated_tokens("".join(PIECES))
        assert (row["uncached_input"], row["output"], row["amount"]) == (*counted, cost_of(row))
    else:
        assert row["amount"] == fault.cost
        assert (row["quarantined"] is None) is (fault.cost is not None)


JUDGED: Final[Mapping[End, Callable[[Case, Fault, Told], None]]] = {
    "fallback": _fell_back,
    "stop": _stopped,
    "broken": _broke_off,
    "whole": _answered,
}


def test_nothing_is_held_and_all_that_was_spent_stands_in_rows(
    gateway: GatewayProcess, outcomes: Mapping[Case, Outcome]
) -> None:
    assert_settled(gateway, outcomes)


def assert_settled(gateway: GatewayProcess, outcomes: Mapping[Case, Outcome]) -> None:
    """Asserts that nothing is held, and that rows and accounts agree."""
    assert gateway.in_flight() == 0
    rows = gateway.rows()
    assert len(rows) == sum(len(told.rows) for outcome in outcomes.values() for told in outcome)
    with closing(open_store(gateway.location)) as database:
        held, posted = only_row(
            database, "SELECT sum(debits_pending), sum(debits_posted) FROM account"
        )
        assert verify(database).imbalances == ()
    known = sum(row["amount"] or 0 for row in rows)
    doubtful = sum(row["exposure"] or 0 for row in rows)
    assert (int(held), int(posted)) == (0, known + doubtful)


def test_what_is_exported_adds_up_to_the_rows_and_to_what_was_charged(
    gateway: GatewayProcess, outcomes: Mapping[Case, Outcome], tmp_path: Path
) -> None:
    assert len(outcomes) == len(CASES)
    with closing(open_store(gateway.store)) as database:
        charged = "SELECT kind, sum(amount) FROM transfer WHERE call_id IS NOT NULL GROUP BY kind"
        moved = {kind: int(amount) for kind, amount in database.execute(charged).fetchall()}
    rows = gateway.rows()
    known = sum(row["amount"] or 0 for row in rows)
    doubtful = sum(row["exposure"] or 0 for row in rows)
    assert moved == {"capture": known, "expose": doubtful}
    for name in ("before.jsonl", "after.jsonl"):
        typed(gateway, "export", str(tmp_path / name))
        told = [json.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
        assert len(told) == len(rows)
        assert _total(told, "amount") == known
        assert _total(told, "exposure") == doubtful
        typed(gateway, "lake", "export")


def typed(gateway: GatewayProcess, *words: str) -> None:
    """A command on the store of the gateway."""
    command = [sys.executable, "-m", "tokonomi", *words, "--store", str(gateway.store)]
    subprocess.run(command, check=True, capture_output=True)


def _total(rows: list[dict[str, Any]], name: str) -> int:
    return sum(row.get(name, 0) for row in rows)
