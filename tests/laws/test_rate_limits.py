"""Limits of keys on real databases against a model in fractions, over generated histories."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tokonomi.budgets.rate_limit import (
    MINUTE_US,
    Bucket,
    Kind,
    RateClaim,
    RateLimits,
    RateRefusal,
    Standing,
)
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import keys
from tokonomi.storage.call_groups import Begin, Memory, Settle, write_group
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.usage import Usage

NewStore = Callable[[], Path | str]
AT: Final = datetime(2026, 11, 1, tzinfo=UTC)
LIMITS: Final = RateLimits(requests=6, tokens=100, concurrent=3)
SECOND_US: Final = 1_000_000


class Model:
    """What the limits of one key must be: exact fractions of units, and the calls in flight."""

    def __init__(self) -> None:
        self.limits = LIMITS
        self.requests = Fraction(0)
        self.tokens = Fraction(0)
        self.running: dict[str, int] = {}

    def pass_time(self, us: int) -> None:
        minutes = Fraction(us, MINUTE_US)
        self.requests = max(self.requests - minutes * (self.limits.requests or 0), Fraction(0))
        self.tokens = max(self.tokens - minutes * (self.limits.tokens or 0), Fraction(0))

    def begin(self, call: str, tokens: int) -> bool:
        fits = (
            len(self.running) < (self.limits.concurrent or 0)
            and self.requests + 1 <= (self.limits.requests or 0)
            and self.tokens + tokens <= (self.limits.tokens or 0)
        )
        if fits:
            self.requests += 1
            self.tokens += tokens
            self.running[call] = tokens
        return fits

    def end(self, call: str, used: int) -> None:
        self.tokens = max(self.tokens + used - self.running.pop(call), Fraction(0))

    @property
    def left(self) -> dict[Kind, int]:
        """Whole requests, tokens and further calls that may come now."""
        return {
            "requests": max(int((self.limits.requests or 0) - self.requests), 0),
            "tokens": max(int((self.limits.tokens or 0) - self.tokens), 0),
            "concurrent": max((self.limits.concurrent or 0) - len(self.running), 0),
        }


def begun(key_id: str, call: str, tokens: int) -> Begin:
    intent = Intent(id=call, at=AT, dimensions=Dimensions(key_id=key_id), model="m")
    return Begin(intent, rate=RateClaim(key_id, tokens))


def settled(key_id: str, call: str, used: int) -> Settle:
    intent = Intent(id=call, at=AT, dimensions=Dimensions(key_id=key_id), model="m")
    call_row = Call(
        intent=intent,
        model_served="m",
        usage=Usage(at=AT, uncached_input=used),
        cost=Unpriced("a call of the model"),
        status=Status.OK,
    )
    return Settle(call_row)


class Limits(RuleBasedStateMachine):
    """Random calls of one key, in groups, while time passes and limits change."""

    database: Database
    worker = 0

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now_us = 1_000 * MINUTE_US
        self.number = 0
        _, key = keys.create(
            self.database, "n", "p", now=AT, terms=keys.Terms(limits=self.model.limits)
        )
        self.key_id = key.id
        self.told: dict[Kind, int] = {}

    def write(self, group: Sequence[Begin | Settle]) -> list[bool]:
        standings: dict[str, tuple[Standing, ...]] = {}
        outcomes = write_group(
            self.database, self.worker, group, at_us=self.now_us, memory=Memory(standings)
        )
        self.told = {each.kind: each.left for each in standings[self.key_id]}
        return [not isinstance(each, RateRefusal) for each in outcomes]

    def next_call(self) -> str:
        self.number += 1
        return f"{self.key_id}-{self.number}.1"

    @rule(us=st.integers(0, 30 * SECOND_US))
    def time_passes(self, us: int) -> None:
        self.now_us += us
        self.model.pass_time(us)
        self.told = {}

    @rule(wanted=st.lists(st.integers(0, 120), min_size=1, max_size=4))
    def calls_begin(self, wanted: list[int]) -> None:
        calls = [(self.next_call(), tokens) for tokens in wanted]
        let_in = self.write([begun(self.key_id, call, tokens) for call, tokens in calls])
        assert let_in == [self.model.begin(call, tokens) for call, tokens in calls]

    @rule(used=st.lists(st.integers(0, 150), max_size=3), wanted=st.none() | st.integers(0, 60))
    def calls_end(self, used: list[int], wanted: int | None) -> None:
        """Ends come first in a group, wherever they stand in it."""
        ending = list(zip([*self.model.running], used, strict=False))
        group: list[Begin | Settle] = [settled(self.key_id, *each) for each in ending]
        call = self.next_call()
        if wanted is not None:
            group.insert(0, begun(self.key_id, call, wanted))
        if not group:
            return
        let_in = self.write(group)
        for each in ending:
            self.model.end(*each)
        if wanted is not None:
            assert let_in[0] == self.model.begin(call, wanted)

    @rule(requests=st.integers(1, 9), tokens=st.integers(1, 150), concurrent=st.integers(1, 4))
    def limits_change(self, requests: int, tokens: int, concurrent: int) -> None:
        # Brings the rows to this instant, at the old rates; the new ones hold from here on.
        self.calls_begin([0])
        self.model.limits = RateLimits(requests, tokens, concurrent)
        terms = keys.Terms(limits=self.model.limits)
        keys.change_terms(self.database, self.key_id, lambda _: terms, now=AT)
        self.told = {}

    @invariant()
    def what_is_left_is_what_the_model_says(self) -> None:
        rows = self.database.execute(
            "SELECT kind, most, taken, at_us FROM rate_limit WHERE key_id = ?", (self.key_id,)
        )
        left = {kind: Bucket(*stored).at(self.now_us).left for kind, *stored in rows}
        running = only_row(
            self.database, "SELECT count(*) FROM attempt WHERE limited_key = ?", (self.key_id,)
        )[0]
        left["concurrent"] = max((self.model.limits.concurrent or 0) - running, 0)
        assert left == self.model.left
        assert self.told in ({}, left)


def test_limits_hold_what_a_model_in_fractions_says(new_store: NewStore) -> None:
    with contextlib.closing(open_store(new_store())) as database:
        row = database.execute(
            "INSERT INTO worker (host, pid, process_start, started_us) VALUES ('h', 1, 's', 0)"
            " RETURNING id"
        ).fetchone()
        assert row is not None
        machine = type("OnThisStore", (Limits,), {"database": database, "worker": int(row[0])})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
        )


@given(
    most=st.integers(1, 50),
    waits=st.lists(st.tuples(st.integers(0, 20 * SECOND_US), st.integers(1, 30)), max_size=40),
)
def test_in_no_span_of_time_more_passes_than_the_rate_and_what_the_bucket_holds(
    most: int, waits: list[tuple[int, int]]
) -> None:
    bucket, now_us = Bucket(most, at_us=1), 1
    passed: list[tuple[int, int]] = []
    for wait_us, units in waits:
        now_us += wait_us
        bucket = bucket.at(now_us)
        if bucket.wait_us(units) == 0:
            bucket = bucket.take(units)
            passed.append((now_us, units))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span_us = passed[last][0] - passed[first][0]
            units = sum(each for _, each in passed[first : last + 1])
            assert units * MINUTE_US <= most * (MINUTE_US + span_us)


@given(most=st.integers(1, 1_000), taken=st.integers(0, 10**12), units=st.integers(0, 1_000))
def test_what_is_told_to_wait_fits_then_and_not_a_microsecond_before(
    most: int, taken: int, units: int
) -> None:
    bucket = Bucket(most, taken, at_us=5)
    wait_us = bucket.wait_us(units)
    if wait_us is None:
        assert units > most
        return
    assert bucket.at(5 + wait_us).wait_us(units) == 0
    if wait_us:
        assert bucket.at(5 + wait_us - 1).wait_us(units) != 0


@given(
    most=st.integers(1, 1_000), taken=st.integers(0, 10**12), steps=st.lists(st.integers(0, 10**9))
)
def test_looking_often_fills_a_bucket_as_much_as_looking_once(
    most: int, taken: int, steps: list[int]
) -> None:
    often = once = Bucket(most, taken)
    for now_us in sorted(steps):
        often = often.at(now_us)
    assert often == once.at(max(steps, default=0))


def test_a_clock_that_goes_back_gives_nothing() -> None:
    later = Bucket(60, taken=60 * MINUTE_US, at_us=10 * SECOND_US)
    assert later.at(0) == later
    sooner_and_later = [later.at(at * SECOND_US).left for at in (9, 10, 11)]
    assert sooner_and_later == [0, 0, 1]
    assert all(a <= b for a, b in pairwise(sooner_and_later))


@given(
    taken=st.integers(0, 60),
    ahead_us=st.integers(MINUTE_US + 1, 10**12),
    wait_us=st.integers(0, MINUTE_US),
)
def test_a_clock_that_was_set_far_back_gives_nothing_and_takes_no_time_away(
    taken: int, ahead_us: int, wait_us: int
) -> None:
    there = Bucket(60, taken=taken * MINUTE_US, at_us=10**13 + ahead_us)
    back = there.at(10**13)
    assert (back.taken, back.at_us) == (there.taken, 10**13)
    assert back.at(10**13 + wait_us).taken == max(taken * MINUTE_US - wait_us * 60, 0)
