"""Calls that are alone in flight: decided in memory, and in the store for whoever opens it."""

import asyncio
import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from recorded_calls import (
    ALL_BOOKED,
    AT,
    FREE,
    alone,
    assert_balanced,
    attempts,
    booked,
    call,
    held_by,
    intent,
    is_in_log_alone,
    on_budget,
    opened,
    rows,
    run,
    settled,
    until,
    used,
)

from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.credits.grant import Grant
from tokonomi.ledger.hold import Refusal
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, write_group
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.recorder import Recorder
from tokonomi.storage.sqlite import SqliteDatabase
from tokonomi.storage.wallet_store import promote

pytestmark = pytest.mark.usefixtures("patience_with_the_disk")


def test_a_lone_call_is_in_the_log_first_and_in_the_store_for_whoever_opens_it(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        assert is_in_log_alone(file, "a")
        assert attempts(file) == ["a.1", "first.1"]
        await recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        assert booked(file, "SELECT id FROM call") == []
        assert settled(file) == ["a.1"]
        assert booked(file, FREE) == [(90,)]
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_what_is_in_the_log_is_soon_booked_without_anybody_asking(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        await recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        await until(lambda: booked(file, ALL_BOOKED) == [(1,)])
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_call_that_ends_among_others_while_its_beginning_is_in_the_log_is_ended(
    file: Path,
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        assert is_in_log_alone(file, "a")
        await recorder.settle(call(intent("a")), used(begun, 10))
        assert (attempts(file), settled(file)) == (["first.1"], ["a.1"])
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_budget_is_used_up_in_memory_and_refused_with_the_figures_of_the_store(
    file: Path, tmp_path: Path
) -> None:
    """The same calls without ever being alone are told the same."""
    told: list[list[object]] = []

    async def test(store: Path, *, alone: bool) -> None:
        recorder = await opened(store)
        outcomes: list[object] = []
        for number in range(5):
            name = intent(f"{number}")
            outcome = await recorder.begin(name, on_budget(30), alone=alone)
            outcomes.append(outcome)
            if number == 1:
                await recorder.settle(call(name), used(outcome, 25), alone=alone)
        outcomes.append(await recorder.begin(intent("small"), on_budget(15), alone=alone))
        outcomes.append(await recorder.begin(intent("least"), on_budget(1), alone=alone))
        told.append(outcomes)
        await recorder.close()

    run(test(file, alone=True))
    run(test(tmp_path / "other.db", alone=False))
    assert told[0] == told[1]
    assert [isinstance(it, Refusal) for it in told[0]] == [False] * 3 + [True] * 2 + [False, True]
    assert_balanced(file)


def test_a_use_above_its_hold_takes_from_what_is_left_and_is_never_forgotten(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(10), alone=True)
        await recorder.settle(call(intent("a")), used(begun, 75), alone=True)
        refused = await recorder.begin(intent("b"), on_budget(26), alone=True)
        assert isinstance(refused, Refusal)
        assert (refused.available, refused.spent) == (25, 75)
        held_by(await recorder.begin(intent("c"), on_budget(25), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_use_above_its_hold_is_seen_by_another_worker_that_is_alone(file: Path) -> None:
    async def test() -> None:
        one, other = await opened(file), await opened(file)
        begun = await one.begin(intent("a"), on_budget(10))
        held_by(await other.begin(intent("b"), on_budget(0), alone=True))
        await one.settle(call(intent("a")), used(begun, 60), alone=True)
        await until(lambda: booked(file, ALL_BOOKED) == [(1,)])
        outcomes = [
            await other.begin(intent(f"c{number}"), on_budget(10), alone=True)
            for number in range(9)
        ]
        assert [isinstance(it, Refusal) for it in outcomes] == [False] * 4 + [True] * 5
        await one.close()
        await other.close()

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


@pytest.mark.parametrize("limit", [70, 130])
def test_a_limit_that_others_change_holds_for_the_next_decision(file: Path, limit: int) -> None:
    async def test() -> None:
        recorder = await alone(file)
        held_by(await recorder.begin(intent("a"), on_budget(60), alone=True))
        with closing(open_store(file)) as database:
            changing = asyncio.to_thread(
                write_group,
                database,
                workers.register(database, now=AT),
                [Begin(intent("changes"), on_budget(0, limit=limit, version=1))],
                at_us=1,
            )
            await changing
        refused = await recorder.begin(intent("b"), on_budget(limit - 59), alone=True)
        assert isinstance(refused, Refusal)
        assert refused.available == limit - 60
        held_by(await recorder.begin(intent("c"), on_budget(limit - 60), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_new_limit_of_its_own_rules_holds_for_the_next_decision(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        held_by(await recorder.begin(intent("a"), on_budget(60), alone=True))
        lowered = on_budget(11, limit=70, version=1)
        assert isinstance(await recorder.begin(intent("b"), lowered, alone=True), Refusal)
        # A rule that is out of date does not raise the limit again.
        assert isinstance(await recorder.begin(intent("c"), on_budget(11), alone=True), Refusal)
        held_by(await recorder.begin(intent("d"), on_budget(10), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_limit_lowered_below_what_is_taken_is_not_free_again_when_a_hold_ends(
    file: Path,
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        first = await recorder.begin(intent("a"), on_budget(60), alone=True)
        await recorder.settle(call(intent("a")), used(first, 60), alone=True)
        second = await recorder.begin(intent("b"), on_budget(20), alone=True)
        await until(lambda: not is_in_log_alone(file, "b"))
        for name in ("c", "d"):
            nothing = on_budget(0, limit=50, version=1)
            held_by(await recorder.begin(intent(name), nothing, alone=True))
        await recorder.settle(call(intent("b")), used(second, 0), alone=True)
        least = on_budget(1, limit=50, version=1)
        assert isinstance(await recorder.begin(intent("e"), least, alone=True), Refusal)
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


def test_an_overrun_is_made_up_for_before_anything_is_free_again(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        first = await recorder.begin(intent("a"), on_budget(80), alone=True)
        second = await recorder.begin(intent("b"), on_budget(20), alone=True)
        await recorder.settle(call(intent("a")), used(first, 110), alone=True)
        await until(lambda: booked(file, ALL_BOOKED) == [(1,)])
        held_by(await recorder.begin(intent("c"), on_budget(0), alone=True))
        await recorder.settle(call(intent("b")), used(second, 0), alone=True)
        assert isinstance(await recorder.begin(intent("d"), on_budget(1), alone=True), Refusal)
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(-10,)]
    assert_balanced(file)


def test_a_new_window_has_its_own_account(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        held_by(await recorder.begin(intent("a"), on_budget(100), alone=True))
        for name, accepted in (("monday", True), ("tuesday", True), ("monday", False)):
            claim = Claim("budget", 60, Funding(f"budget a {name}", "USD", 100))
            call_id = intent(f"{name}{accepted}")
            outcome = await recorder.begin(call_id, (claim,), alone=True)
            assert isinstance(outcome, tuple) is accepted
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_the_grants_of_a_wallet_burn_in_the_order_of_the_ordinary_path(
    file: Path, tmp_path: Path
) -> None:
    told: list[object] = []

    async def test(store: Path, *, alone: bool) -> None:
        with closing(open_store(store)) as database:
            for number, (amount, days) in enumerate(((30, 9), (50, 2), (40, None))):
                grant = Grant(
                    id=f"promotion/{number}",
                    wallet="ani",
                    amount=amount,
                    granted_at=AT,
                    expires_at=None if days is None else AT + timedelta(days=days),
                    promotional=True,
                )
                promote(database, grant)
        recorder = await opened(store)
        for number, (amount, spent) in enumerate(((20, 20), (45, 10), (60, 60), (50, 0), (30, 9))):
            name = intent(f"{number}")
            outcome = await recorder.begin(name, (Claim("wallet ani", amount, "ani"),), alone=alone)
            told.append(outcome)
            if isinstance(outcome, tuple):
                await recorder.settle(call(name), used(outcome, spent), alone=alone)
        await recorder.close()
        told.append(rows(store, "SELECT name, debits_posted FROM account ORDER BY name"))
        told.append(rows(store, "SELECT account, amount, call_id FROM transfer ORDER BY seq"))

    run(test(file, alone=True))
    run(test(tmp_path / "other.db", alone=False))
    assert told[: len(told) // 2] == told[len(told) // 2 :]
    assert_balanced(file)


def test_a_call_of_a_key_with_limits_never_goes_to_the_log(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        rate = RateClaim("key")
        held_by(await recorder.begin(intent("a"), on_budget(5), rate=rate, alone=True))
        assert not is_in_log_alone(file, "a")
        await recorder.settle(call(intent("a")), alone=True, limited=True)
        assert booked(file, ALL_BOOKED) == [(1,)]
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_bell_that_rings_once_too_often_does_not_share_what_is_decided_in_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks rings until it is let in, so the last ring comes after that."""
    monkeypatch.setattr("tokonomi.storage.recorder._SHARED_SECONDS", 0)

    async def test() -> None:
        one, other = await alone(file), await opened(file)
        held_by(await other.begin(intent("asks"), on_budget(10)))
        _ring(file, 1)
        for _ in range(3):
            await asyncio.sleep(0)
        held_by(await one.begin(intent("a"), on_budget(10), alone=True))
        held_by(await one.begin(intent("b"), on_budget(10), alone=True))
        assert is_in_log_alone(file, "b")
        await until(lambda: not is_in_log_alone(file, "b"))
        await use_up(other, one, 7)

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


def test_whoever_asks_while_a_beginning_waits_for_the_store_is_let_in_afterwards(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the beginning has seen is not known any more when it has been written."""
    monkeypatch.setattr("tokonomi.storage.recorder._SHARED_SECONDS", 0)

    async def test() -> None:
        one, other = await alone(file), await opened(file)
        with closing(open_store(file)) as keeper:
            keeper.execute("BEGIN IMMEDIATE")
            beginning = asyncio.ensure_future(one.begin(intent("a"), on_budget(10), alone=True))
            await asyncio.sleep(0)
            _ring(file, 1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            keeper.execute("ROLLBACK")
        held_by(await beginning)
        await use_up(other, one, 9)

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


def test_a_beginning_that_came_among_others_is_decided_by_transactions_afterwards(
    file: Path,
) -> None:
    """Another call came and let go of the accounts while the first one was being written."""

    async def test() -> None:
        one, other = await alone(file), await opened(file)
        with closing(open_store(file)) as keeper:
            keeper.execute("BEGIN IMMEDIATE")
            beginnings = [one.begin(intent("a"), on_budget(10), alone=True)]
            await asyncio.sleep(0)
            beginnings.append(one.begin(intent("b"), on_budget(500)))
            await asyncio.sleep(0)
            keeper.execute("ROLLBACK")
        first, second = [await each for each in beginnings]
        held_by(first)
        assert isinstance(second, Refusal)
        await use_up(other, one, 9)

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


def test_a_worker_lets_go_by_itself_when_it_has_decided_nothing_for_a_while(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokonomi.storage.recorder._IDLE_SECONDS", 0.01)

    async def test() -> None:
        recorder = await alone(file)
        held_by(await recorder.begin(intent("a"), on_budget(10), alone=True))
        # Nobody asks: this one has no patience.
        with closing(open_store(file)) as database:
            assert isinstance(database, SqliteDatabase)
            await until(lambda: database.sole_use.take(99))
            database.sole_use.let_go()
        await recorder.close()

    run(test())


def test_where_no_pipe_can_be_made_calls_that_are_alone_go_to_the_store(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("no pipes here")

    monkeypatch.setattr(os, "mkfifo", refused)

    async def test() -> None:
        recorder = await opened(file)
        held = held_by(await recorder.begin(intent("a"), on_budget(10), alone=True))
        await recorder.settle(call(intent("a")), used(held, 10), alone=True)
        assert booked(file, "SELECT id FROM call") == [("a.1",)]
        await recorder.close()

    run(test())
    assert "no pipe can be made" in caplog.text


async def use_up(first: Recorder, second: Recorder, fitting: int) -> None:
    """Both take of the budget in turns: so many of ten holds fit, and not one more."""
    outcomes = [
        await each.begin(intent(f"{each is second}{number}"), on_budget(10), alone=True)
        for number in range(5)
        for each in (first, second)
    ]
    assert [isinstance(it, Refusal) for it in outcomes] == [False] * fitting + [True] * (
        10 - fitting
    )
    await first.close()
    await second.close()


def _ring(file: Path, worker: int) -> None:
    (file.with_name(f"{file.name}.workers") / f"{worker}.bell").write_bytes(b"?")
