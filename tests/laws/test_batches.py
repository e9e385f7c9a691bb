"""Whatever the order of a provider's lines, however often they are read: each settles once."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokonomi.batches.answers import reference_of
from tokonomi.batches.batch import Batch, Leg, Progress
from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.table import budget_from_table
from tokonomi.calls import Dimensions
from tokonomi.gateway.batches.desk import now_us
from tokonomi.gateway.batches.lines import claim_of, understood
from tokonomi.gateway.batches.settlement import Means, Settlement
from tokonomi.gateway.rules import rules_of
from tokonomi.storage import budget_store
from tokonomi.storage.batch_holds import LineClaim, hold_lines
from tokonomi.storage.batch_store import create_batch
from tokonomi.storage.call_rows import instant
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.price_files import load_book
from tokonomi.storage.rules_in_force import load_rules

LINES = 4
BOOK = load_book()
NewStore = Callable[[], Path | str]
numbers = st.integers(1, LINES + 1)
"""Of lines that answers are for; the last one is none."""


@st.composite
def outputs(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Lines of output: whom each answers, with how many tokens; 0 is a failure, -1 no JSON."""
    tokens = st.one_of(st.integers(1, 40), st.just(0), st.just(-1))
    return draw(st.lists(st.tuples(numbers, tokens), max_size=8))


def prepared(database: Database) -> Batch:
    """A batch whose lines hold what they may cost on a budget."""
    stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "5"}
    budget = budget_from_table(stated, zones=available_timezones())
    budget_store.create(database, budget, now=instant(now_us()))
    batch = Batch(
        id="batch_law",
        project="p",
        key_id="k",
        endpoint="/v1/chat/completions",
        input_file="file-law",
        total=LINES,
        provider="openai",
        price_as="openai",
        legs={"gpt-4o-mini": Leg("gpt-4o-mini", "gpt-4o-mini")},
        dimensions=Dimensions(project="p"),
        keep_seconds=3_600,
        created_us=now_us(),
    )
    assert create_batch(database, batch, most_open=1)
    rules = rules_of(load_rules(database), output_cap=None)
    claims: list[LineClaim] = []
    for number in range(1, LINES + 1):
        text = b'{"custom_id":"n%d","method":"POST","url":"/v1/chat/completions","body":' % number
        body = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[]}}'
        claim = claim_of(batch, understood(number, text + body, body_bytes=1_000), rules, BOOK)
        assert not isinstance(claim, Refused)
        claims.append(claim)
    assert hold_lines(database, batch.id, claims, at_us=now_us()) is None
    return batch


def text_of(batch: Batch, number: int, tokens: int) -> bytes:
    if tokens < 0:
        return b"{"
    body: dict[str, Any] = {"error": {"code": "c"}}
    if tokens:
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        body = {"model": "gpt-4o-mini", "usage": usage}
    response = {"status_code": 200 if tokens else 500, "body": body}
    line = {"custom_id": reference_of(batch.id, number), "response": response}
    return msgspec.json.encode(line)


def read_through(database: Database, batch: Batch, texts: list[bytes], *, to_the_end: bool) -> None:
    """One pass through the output, which may be broken off before the missing lines."""
    progress = Progress(outcome="cancelled")
    settlement = Settlement(batch, progress, Means(BOOK, None, 1_000))
    for text in texts:
        settlement.take(database, [text])
    after: int | None = 0 if to_the_end else None
    while after is not None:
        after, _ = settlement.take_missing(database, after)


@given(outputs(), st.lists(st.integers(0, 8), max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_settles_once_from_its_first_answer(
    new_store: NewStore, lines: list[tuple[int, int]], broken_off: list[int]
) -> None:
    with closing(open_store(new_store())) as database:
        batch = prepared(database)
        texts = [text_of(batch, number, tokens) for number, tokens in lines]
        for cut in broken_off:
            read_through(database, batch, texts[:cut], to_the_end=False)
        read_through(database, batch, texts, to_the_end=True)
        read_through(database, batch, [*reversed(texts)], to_the_end=True)
        first: dict[int, int] = {}
        for number, tokens in lines:
            if tokens >= 0 and number <= LINES:
                first.setdefault(number, tokens)
        expected = sum(75_000 + tokens * 300_000 for tokens in first.values() if tokens)
        calls, cost = only_row(database, "SELECT count(*), COALESCE(sum(amount), 0) FROM call")
        assert (int(calls), int(cost)) == (LINES, expected)
        # A line of output that cannot be read may be the answer to any line that has none.
        unread = any(tokens < 0 for _, tokens in lines)
        exposed, exposure = only_row(
            database, "SELECT count(exposure), COALESCE(sum(exposure), 0) FROM call"
        )
        assert exposed == (LINES - len(first) if unread else 0)
        spent, of_it = only_row(
            database,
            "SELECT COALESCE(sum(debits_posted), 0), COALESCE(sum(exposed), 0) FROM account",
        )
        assert (int(spent), int(of_it)) == (expected + int(exposure), int(exposure))
        assert only_row(database, "SELECT count(*) FROM attempt") == (0,)
        assert only_row(database, "SELECT COALESCE(sum(debits_pending), 0) FROM account")[0] == 0
        assert verify(database).imbalances == ()
