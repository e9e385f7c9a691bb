"""Calls that are alone in flight: decided in memory, and in the store for whoever opens it."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from recorded_calls import (
    AT,
    assert_balanced,
    attempts,
    booked,
    call,
    full_disk,
    held_by,
    intent,
    on_budget,
    opened,
    rows,
    run,
    settled,
    until,
    used,
)

from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.calls import Call, Intent
from tokonomi.credits.grant import Grant
from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Held, Part, Refusal, capture
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Begun, Record, Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.log_recovery import identity_of, write_log
from tokonomi.storage.recorder import Limits, Recorder
from tokonomi.storage.sqlite import SqliteDatabase
from tokonomi.storage.wallet_store import promote
from tokonomi.storage.worker_log import HALF_BYTES, WorkerLog

SLOW_SECONDS: Final = 1.0
ALL_BOOKED: Final = "SELECT count(*) FROM call"
FREE: Final = (
    "SELECT credits_posted - debits_posted - debits_pending - overrun FROM account"
    " WHERE name = 'budget a'"
)


@pytest.fixture(autouse=True)
def patience_with_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that is slow because others use the machine decides nothing here."""
    monkeypatch.setattr("tokonomi.storage.recorder._SLOW_FLUSH_SECONDS", SLOW_SECONDS)


async def alone(file: Path, *, limit: int = 100, limits: Limits | None = None) -> Recorder:
    """A recorder whose worker alone changes accounts, and knows what the budget has free."""
    recorder = await opened(file, limits)
    held_by(await recorder.begin(intent("first"), on_budget(0, limit=limit), alone=True))
    return recorder


def is_in_log_alone(file: Path, name: str) -> bool:
    """Whether the store itself knows nothing of a call."""
    both = "SELECT id FROM attempt UNION ALL SELECT id FROM call"
    return (f"{name}.1",) not in booked(file, both)


def unbookable(of: Intent) -> Call:
    """An end that a log can have, and no row."""
    return replace(call(of), duration_ms=2**63)


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


def test_a_flush_that_fails_has_the_call_written_once_by_a_transaction(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", _refuses)
            await recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        assert booked(file, "SELECT id FROM call") == [("a.1",)]
        assert booked(file, FREE) == [(90,)]
        await recorder.close()

    run(test())
    assert_balanced(file)


def _refuses(descriptor: int) -> None:
    raise OSError(5, "Input/output error", descriptor)


def test_after_a_flush_that_held_the_loop_up_the_next_calls_go_to_the_writer(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        loop = asyncio.get_running_loop()
        began = await recorder.begin(intent("a"), on_budget(30), alone=True)
        ended = recorder.settle(call(intent("a")), used(began, 10), alone=True)
        clock, passed = loop.time, iter([0.0])
        monkeypatch.setattr(loop, "time", lambda: clock() + next(passed, 2 * SLOW_SECONDS))
        await ended
        monkeypatch.setattr(loop, "time", clock)
        begun = asyncio.ensure_future(recorder.begin(intent("b"), on_budget(30), alone=True))
        assert not begun.done()
        held_by(await begun)
        assert not is_in_log_alone(file, "b")
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_row_that_no_log_can_have_fails_alone_as_it_does_among_others(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with pytest.raises(StoreError, match="refuses the row of call a"):
            await recorder.settle(call(intent("a"), note="\ud800"), used(begun, 10), alone=True)
        held_by(await recorder.begin(intent("b"), on_budget(30), alone=True))
        assert (attempts(file), settled(file)) == (["a.1", "b.1", "first.1"], [])
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_beginning_that_no_log_can_have_fails_alone(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        with pytest.raises(StoreError, match="refuses the row of call"):
            await recorder.begin(intent("\ud800"), on_budget(30), alone=True)
        held_by(await recorder.begin(intent("b"), on_budget(100), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_record_that_the_schema_refuses_is_told_and_does_not_keep_others_out(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its call stays in flight, and is an orphan once its worker has ended."""

    async def test() -> None:
        recorder = await alone(file)
        for name in ("a", "b", "c"):
            begun = await recorder.begin(intent(name), on_budget(30), alone=True)
            ends = unbookable(intent(name)) if name == "b" else call(intent(name))
            await recorder.settle(ends, used(begun, 10), alone=True)
        await until(lambda: booked(file, ALL_BOOKED) == [(2,)])
        await recorder.close()

    run(test())
    assert "the store refuses record" in caplog.text
    assert (attempts(file), settled(file)) == (["b.1", "first.1"], ["a.1", "c.1"])
    assert_balanced(file)


def test_a_refused_record_on_a_store_that_others_keep_busy_does_not_end_the_writer(
    file: Path,
) -> None:
    async def test() -> None:
        recorder = await alone(file)
        with closing(open_store(file)) as other:
            busy = _BusyOnceTold(lambda: other.execute("BEGIN IMMEDIATE"))
            logging.getLogger("tokonomi.store").addHandler(busy)
            for name in ("a", "b", "c"):
                begun = await recorder.begin(intent(name), on_budget(30), alone=True)
                ends = unbookable(intent(name)) if name == "a" else call(intent(name))
                await recorder.settle(ends, used(begun, 10), alone=True)
            await until(lambda: busy.is_told)
            logging.getLogger("tokonomi.store").removeHandler(busy)
            other.execute("ROLLBACK")
        held_by(await recorder.begin(intent("d"), on_budget(30)))
        assert (attempts(file), settled(file)) == (["a.1", "d.1", "first.1"], ["b.1", "c.1"])
        await recorder.close()

    run(test())
    assert_balanced(file)


class _BusyOnceTold(logging.Handler):
    """Takes the store as soon as something is told."""

    def __init__(self, take: Callable[[], object]) -> None:
        super().__init__()
        self._take = take
        self.is_told = False

    def emit(self, record: logging.LogRecord) -> None:
        del record
        if not self.is_told:
            self._take()
            self.is_told = True


def test_calls_go_on_while_others_keep_the_store_and_are_all_booked_then(file: Path) -> None:
    names = [f"{number:02}" for number in range(30)]

    async def test() -> None:
        recorder = await alone(file)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            for name in names:
                begun = await recorder.begin(intent(name), on_budget(50), alone=True)
                await recorder.settle(call(intent(name)), used(begun, 1), alone=True)
                await asyncio.sleep(0)
            assert booked(file, ALL_BOOKED) == [(0,)]
            other.execute("ROLLBACK")
        await until(lambda: booked(file, ALL_BOOKED) == [(len(names),)])
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(70,)]
    assert settled(file) == [f"{name}.1" for name in names]
    assert_balanced(file)


def test_a_log_that_is_full_has_calls_wait_for_the_store_and_loses_none(file: Path) -> None:
    note = "x" * (HALF_BYTES // 5)

    async def test() -> None:
        recorder = await alone(file)
        for number in range(12):
            name = f"{number:02}"
            begun = await recorder.begin(intent(name), on_budget(50), alone=True)
            await recorder.settle(call(intent(name), note=note), used(begun, 1), alone=True)
        await recorder.close()

    run(test())
    assert booked(file, FREE) == [(88,)]
    assert settled(file) == [f"{number:02}.1" for number in range(12)]
    assert_balanced(file)


def test_closing_books_what_is_in_the_log(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file)
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        ending = recorder.settle(call(intent("a")), used(begun, 10), alone=True)
        await asyncio.gather(recorder.close(), ending)
        assert booked(file, "SELECT id FROM call") == [("a.1",)]
        with closing(open_store(file)) as database, database.transaction(accounts=True):
            """Nobody is alone any more."""

    run(test())
    assert_balanced(file)


def test_what_closing_cannot_book_is_booked_by_whoever_opens_the_store_next(file: Path) -> None:
    async def test() -> None:
        recorder = await alone(file, limits=Limits(settle_seconds=0.05))
        begun = await recorder.begin(intent("a"), on_budget(30), alone=True)
        with closing(open_store(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = await recorder.begin(intent("b"), on_budget(30), alone=True)
            await recorder.settle(call(intent("b")), used(begun, 10), alone=True)
            await recorder.close()
            other.execute("ROLLBACK")
        assert booked(file, "SELECT id FROM call") == []
        assert (attempts(file), settled(file)) == (["a.1", "first.1"], ["b.1"])

    run(test())
    assert_balanced(file)


def test_on_a_full_disk_that_was_never_alone_before_a_call_is_refused(file: Path) -> None:
    async def test() -> None:
        recorder = await opened(file)
        await recorder.begin(intent("first"))
        with full_disk(file), pytest.raises(StoreError, match="cannot be written"):
            await recorder.begin(intent("a"), on_budget(30), alone=True)
        held_by(await recorder.begin(intent("a"), on_budget(30), alone=True))
        await recorder.close()

    run(test())
    assert_balanced(file)


def test_a_worker_that_cannot_make_its_log_says_so(file: Path) -> None:
    async def test() -> None:
        await (await opened(file)).close()
        with closing(open_store(file)) as database:
            worker = workers.register(database, now=AT)
        with full_disk(file), pytest.raises(StoreError):
            Recorder(file, worker)

    run(test())


def test_records_are_booked_once_whoever_books_them_and_how_often(file: Path) -> None:
    with closing(open_store(file)) as database:
        worker = workers.register(database, now=AT)
        [first] = write_group(database, worker, [Begin(intent("a"), on_budget(30))], at_us=1)
        ends = Settle(call(intent("a")), used(first, 10))
        records = [Record(1, 5, ends), Record(2, 5, Begun(intent("b"), held_by(first)))]
        for _ in range(3):
            write_log(database, worker, records)
        records.append(Record(3, 6, Settle(call(intent("b")), used(first, 7))))
        write_log(database, worker, records)
        write_log(database, worker, records[1:])
        assert only_row(database, FREE) == (83,)
    assert (attempts(file), settled(file)) == ([], ["a.1", "b.1"])
    assert_balanced(file)


@pytest.mark.parametrize("refused", [False, True], ids=["", "and another record is refused"])
def test_an_end_whose_beginning_was_lost_in_a_power_cut_is_captured_in_full(
    file: Path, *, refused: bool
) -> None:
    with closing(open_store(file)) as database:
        assert isinstance(database, SqliteDatabase)
        worker = workers.register(database, now=AT)
        [outcome] = write_group(database, worker, [Begin(intent("z"), on_budget(0))], at_us=1)
        held = Held("budget", held_by(outcome)[0].home, (Part(held_by(outcome)[0].home, 30),))
        log = WorkerLog(database.log_path(worker), identity_of(microseconds(AT)))
        with closing(log):
            for number in range(3):
                bad = refused and number == 0
                ends = (unbookable if bad else call)(intent(f"{number}"))
                assert log.append(Settle(ends, (capture(held, 10),)), 1)
    lost = 1 if refused else 0
    assert settled(file) == [f"{number}.1" for number in range(lost, 3)]
    assert rows(file, "SELECT debits_posted FROM account") == [(30 - 10 * lost,)]
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
        await asyncio.sleep(0.01)
        held_by(await one.begin(intent("a"), on_budget(10), alone=True))
        held_by(await one.begin(intent("b"), on_budget(10), alone=True))
        assert is_in_log_alone(file, "b")
        await until(lambda: not is_in_log_alone(file, "b"))
        outcomes = [
            await each.begin(intent(f"{each is one}{number}"), on_budget(10), alone=True)
            for number in range(5)
            for each in (other, one)
        ]
        assert [isinstance(it, Refusal) for it in outcomes] == [False] * 7 + [True] * 3
        await one.close()
        await other.close()

    run(test())
    assert booked(file, FREE) == [(0,)]
    assert_balanced(file)


def _ring(file: Path, worker: int) -> None:
    (file.with_name(f"{file.name}.workers") / f"{worker}.bell").write_bytes(b"?")
