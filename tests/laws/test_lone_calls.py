"""Calls decided in memory and logged leave just what transactions alone leave.

The same history runs twice: by two workers that are alone or not as it comes, are killed, and are
disturbed by others; and by plain transactions, one for each beginning and end.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, cast

import pytest
from ended_calls import ended_call
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.calls import Dimensions, Intent
from tokonomi.credits.grant import Grant
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.storage import orphans, workers
from tokonomi.storage.call_groups import Begin, Outcome, Record, Settle, write_group
from tokonomi.storage.database import Row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.lone_calls import LoneCalls
from tokonomi.storage.recorder import Recorder
from tokonomi.storage.sole_use import SoleUse
from tokonomi.storage.sqlite import SqliteDatabase
from tokonomi.storage.wallet_store import promote

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
RUNS: Final = count(1)
WALLET: Final = "wallet ani"
SOURCES: Final[tuple[str, ...]] = ("budget a", "budget b", WALLET)
LEFT: Final = (
    "SELECT name, credits_posted, debits_posted, debits_pending, floor FROM account ORDER BY name",
    "SELECT name, withdrawn, exposed, overrun, rules_version FROM account ORDER BY name",
    "SELECT id, status, held FROM call ORDER BY id",
    "SELECT id, held FROM attempt ORDER BY id",
    "SELECT kind, account, sink, amount, call_id FROM transfer ORDER BY 1, 2, 3, 4, 5",
)


class Starts(NamedTuple):
    """A call begins."""

    worker: int
    wants: Mapping[str, int]
    alone: bool


class Ends(NamedTuple):
    """One of the calls in flight ends, `which` of them counted around; it used some quarters."""

    which: int
    quarters: int
    exposed: int
    alone: bool


class Limit(NamedTuple):
    """Somebody else changes a budget; workers hear of it now or at its next change."""

    source: str
    limit: int
    heard: bool


class Buys(NamedTuple):
    """Somebody else puts credits into the wallet."""

    amount: int


class Dies(NamedTuple):
    """A worker is killed, another takes its place, and its calls are swept."""

    worker: int


Step = Starts | Ends | Limit | Buys | Dies | None
"""None is a pause in which logs are booked."""

_worker: Final = st.sampled_from([0] * 11 + [1])
_alone: Final = st.sampled_from([True] * 15 + [False])
_wants: Final = st.fixed_dictionaries(
    {"budget a": st.integers(5, 60)},
    optional={"budget b": st.integers(0, 40), WALLET: st.integers(5, 60)},
)
_starts: Final = st.builds(Starts, _worker, _wants, _alone)
_quarters: Final = st.sampled_from([0, 1, 2, 3, 4, 4, 4, 4, 5])
_ends: Final = st.builds(Ends, st.integers(0, 5), _quarters, st.integers(0, 9), _alone)
_others: Final[st.SearchStrategy[Step]] = st.one_of(
    st.builds(Limit, st.sampled_from(SOURCES[:2]), st.integers(0, 300), st.booleans()),
    st.builds(Buys, st.integers(1, 80)),
    st.builds(Dies, st.integers(0, 1)),
    st.none(),
)
steps: Final[st.SearchStrategy[Step]] = st.sampled_from(
    [*[_starts] * 10, *[_ends] * 9, _others]
).flatmap(lambda step: step)
OPENING: Final[Sequence[Step]] = (
    Buys(90),
    Buys(60),
    Starts(0, dict.fromkeys(SOURCES, 0), alone=True),
)
"""From here on the first worker knows what all accounts have free."""


class Lone:
    """A store to which two workers record their calls, alone or not."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seats = [self._seat() for _ in range(2)]

    async def begin(self, worker: int, begin: Begin, *, alone: bool) -> Outcome:
        self._book_ends_of_the_other(worker)
        return await self._seats[worker][1].begin(begin.intent, begin.claims, alone=alone)

    async def end(self, worker: int, settle: Settle, *, alone: bool) -> None:
        self._book_ends_of_the_other(worker)
        await self._seats[worker][1].settle(settle.call, settle.captured, alone=alone)

    async def change(self, begin: Begin) -> None:
        """Somebody else, with a connection of their own, waits for the accounts."""
        with closing(open_store(self._file)) as database:
            await asyncio.to_thread(write_group, database, 0, [begin], at_us=1)

    async def buy(self, grant: Grant) -> None:
        with closing(open_store(self._file)) as database:
            await asyncio.to_thread(promote, database, grant)

    async def pause(self) -> None:
        """Returns when the store has what is in logs."""
        recorders = [recorder for _, recorder, _ in self._seats]
        logs = [cast("LoneCalls", vars(recorder)["_lone"]) for recorder in recorders]
        while not all(log.is_booked for log in logs):  # noqa: ASYNC110 - a thread says so
            await asyncio.sleep(0)

    async def kill(self, worker: int) -> None:
        """Does all that the kernel does when it kills a process, to a part of this one."""
        signs, recorder, worker_id = self._seats[worker]
        # What is in memory is gone, and so are the locks; nothing that closes does just that.
        sole_use = cast("SoleUse", vars(vars(recorder)["_writer"])["_sole_use"])
        cast("list[Record]", vars(vars(recorder)["_lone"])["_records"]).clear()
        sole_use.close()
        sole_use.is_alone = False
        await recorder.close()
        os.close(vars(signs)["_lives"].pop(worker_id))
        signs.close()
        self._seats[worker] = self._seat()
        await asyncio.to_thread(self._sweep)

    async def close(self) -> None:
        for signs, recorder, worker_id in self._seats:
            await recorder.close()
            workers.retire(signs, worker_id, now=NOW)
            signs.close()

    def _seat(self) -> tuple[SqliteDatabase, Recorder, int]:
        database = open_store(self._file)
        assert isinstance(database, SqliteDatabase)
        worker_id = workers.register(database, now=NOW)
        return database, Recorder(self._file, worker_id), worker_id

    def _sweep(self) -> None:
        with closing(open_store(self._file)) as database:
            orphans.sweep(database, now=NOW)

    def _book_ends_of_the_other(self, worker: int) -> None:
        """What ends frees what it held a moment later for others, save where one is alone."""
        lock = self._file.with_name(f"{self._file.name}.workers") / "accounts.lock"
        alone = int.from_bytes(lock.read_bytes(), "big") if lock.exists() else 0
        if alone != self._seats[1 - worker][2]:
            open_store(self._file).close()


class Plain:
    """A store to which each beginning and each end goes in a transaction of its own."""

    def __init__(self, file: Path) -> None:
        self._database = open_store(file)
        self._workers = [workers.register(self._database, now=NOW) for _ in range(2)]

    def write(self, worker: int, entry: Begin | Settle) -> Outcome:
        [outcome] = write_group(self._database, self._workers[worker], [entry], at_us=1)
        return outcome

    def change(self, begin: Begin) -> None:
        write_group(self._database, 0, [begin], at_us=1)

    def buy(self, grant: Grant) -> None:
        promote(self._database, grant)

    def kill(self, worker: int) -> None:
        self._database.die(self._workers[worker])
        self._workers[worker] = workers.register(self._database, now=NOW)
        orphans.sweep(self._database, now=NOW)

    def close(self) -> None:
        self._database.close()


class Twins:
    """The two stores, and what is known of rules and calls outside of them."""

    def __init__(self, lone: Lone, plain: Plain) -> None:
        self._lone, self._plain = lone, plain
        self._limits: dict[str, tuple[int, int]] = dict.fromkeys(SOURCES[:2], (100, 0))
        self._version = 0
        self._numbers = count(1)
        self._flying: dict[str, tuple[int, Intent, tuple[Held, ...]]] = {}

    async def take(self, step: Step) -> None:
        match step:
            case Starts():
                await self._start(step)
            case Ends():
                await self._end(step)
            case Limit():
                await self._change(step)
            case Buys(amount):
                grant = Grant(
                    id=f"promotion/{next(self._numbers)}",
                    wallet="ani",
                    amount=amount,
                    granted_at=NOW,
                    promotional=True,
                )
                self._plain.buy(grant)
                await self._lone.buy(grant)
            case Dies(worker):
                self._plain.kill(worker)
                await self._lone.kill(worker)
                self._flying = {k: it for k, it in self._flying.items() if it[0] != worker}
            case None:
                await self._lone.pause()

    async def _start(self, step: Starts) -> None:
        begin = self._begin(step.wants)
        expected = self._plain.write(step.worker, begin)
        assert await self._lone.begin(step.worker, begin, alone=step.alone) == expected
        if isinstance(expected, tuple):
            self._flying[begin.intent.id] = (step.worker, begin.intent, expected)

    async def _end(self, step: Ends) -> None:
        if not self._flying:
            return
        name = list(self._flying)[step.which % len(self._flying)]
        worker, intent, holds = self._flying.pop(name)
        settle = Settle(ended_call(intent), tuple(_resolved(held, step) for held in holds))
        self._plain.write(worker, settle)
        await self._lone.end(worker, settle, alone=step.alone)

    async def _change(self, step: Limit) -> None:
        before = self._limits[step.source]
        self._version += 1
        self._limits[step.source] = (step.limit, self._version)
        begin = self._begin({step.source: 0})
        self._plain.change(begin)
        await self._lone.change(begin)
        if not step.heard:
            self._limits[step.source] = before

    def _begin(self, wants: Mapping[str, int]) -> Begin:
        intent = Intent(
            id=f"{next(self._numbers):03}.1", at=NOW, dimensions=Dimensions(), model="m"
        )
        return Begin(intent, tuple(self._claim(*it) for it in sorted(wants.items())))

    def _claim(self, source: str, amount: int) -> Claim:
        if source == WALLET:
            return Claim(source, amount, "ani")
        limit, version = self._limits[source]
        return Claim(source, amount, Funding(source, "USD", limit, 0, version))


def _resolved(held: Held, ends: Ends) -> Captured:
    """Budgets take what may have been used besides; wallets never do."""
    used = held.amount * ends.quarters // 4
    return capture(held, used, exposed=0 if held.source == WALLET else ends.exposed)


def left_in(file: Path) -> list[list[Row]]:
    with closing(open_store(file)) as database:
        assert verify(database).imbalances == ()
        return [database.execute(query).fetchall() for query in LEFT]


Left = list[list[Row]]


async def both_ways(folder: Path, history: Sequence[Step]) -> tuple[Left, Left, Left]:
    """What plain transactions leave, and lone calls: while their workers live, and afterwards."""
    lone, plain = Lone(folder / "lone.db"), Plain(folder / "plain.db")
    twins = Twins(lone, plain)
    for step in (*OPENING, *history):
        await twins.take(step)
    living = left_in(folder / "lone.db")
    await lone.close()
    plain.close()
    return left_in(folder / "plain.db"), living, left_in(folder / "lone.db")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied."""
    file = tmp_path_factory.mktemp("lone") / "tokonomi.db"
    with closing(open_store(file)) as database:
        database.execute(
            "INSERT INTO worker (id, host, pid, process_start, started_us, ended_us)"
            " VALUES (0, 'others', 0, '', 0, 0)"
        )
    return file


@pytest.fixture(scope="module", autouse=True)
def patience_with_the_disk() -> Iterator[None]:
    """A flush that is slow because others use the machine does not end being alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tokonomi.storage.recorder._SLOW_FLUSH_SECONDS", 60.0)
        yield


@settings(max_examples=int(os.environ.get("TOKONOMI_LONE_HISTORIES", "40")))
@given(history=st.lists(steps, min_size=15, max_size=40))
def test_any_history_leaves_what_transactions_alone_leave(
    pattern: Path, history: Sequence[Step]
) -> None:
    folder = pattern.with_name(f"run{next(RUNS)}")
    folder.mkdir()
    for name in ("lone.db", "plain.db"):
        shutil.copyfile(pattern, folder / name)
    expected, living, closed = asyncio.run(both_ways(folder, history))
    assert living == expected
    assert closed == expected
    shutil.rmtree(folder)


def test_processes_that_are_alone_by_turns_never_overspend_and_lose_no_answered_call(
    pattern: Path,
) -> None:
    """One of them is killed while others spend on."""
    file = pattern.with_name("shared.db")
    shutil.copyfile(pattern, file)
    with closing(open_store(file)) as database:
        for number, amount in enumerate((1_500, 2_500)):
            grant = Grant(
                id=f"promotion/{number}",
                wallet="ani",
                amount=amount,
                granted_at=NOW,
                promotional=True,
            )
            promote(database, grant)
    script = Path(__file__).with_name("lone_spending_process.py")
    started = [
        subprocess.Popen(
            [sys.executable, script, file, f"p{number}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, arguments in enumerate((("15", "dies"), ("999",), ("999",)))
    ]
    assert [_heard(process) for process in started] == ["ready\n"] * 3
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=100) for process in started]
    assert [process.returncode for process in started] == [-9, 0, 0], told
    assert [errors for _, errors in told] == [""] * 3
    answered = [line for out, _ in told for line in out.splitlines()]
    with closing(open_store(file)) as database:
        assert verify(database).imbalances == ()
        settled = [row[0] for row in database.execute("SELECT id FROM call")]
        orphans.sweep(database, now=NOW)
        assert verify(database).imbalances == ()
        spent = database.execute(
            "SELECT sum(amount) FROM transfer WHERE sink IN ('spent', 'revenue') GROUP BY sink"
        ).fetchall()
        free = database.execute(
            "SELECT sum(credits_posted - debits_posted - debits_pending) FROM account"
            " WHERE asset = 'CREDIT'"
        ).fetchall()
    assert sorted(settled) == sorted(answered)
    assert len({amount for (amount,) in spent}) == 1
    # The last one was refused, when the wallet had too little besides the hold of the dead one.
    assert 0 <= free[0][0] < 60


def _heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
