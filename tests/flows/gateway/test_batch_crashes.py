"""`kill -9` at each point of a batch's life, with a budget and a wallet on its lines' way."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from batch_gateway import (
    BatchProvider,
    check_ledger,
    content,
    ended,
    gateway_of,
    limited,
    line,
    made,
)
from crashing_batches import POINTS
from crashing_process import CrashingGateway
from gateway_process import GatewayProcess

from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store

LINES = 240
"""More than one transaction holds, more than one settles, and more than one part of a file."""
NTH = {"H1": 2, "H2": 2, "S1": 5, "S2": 5}
"""How often a point is passed before the kill; holds are written by the function of the settles."""
NewStore = Callable[[], Path | str]


@pytest.fixture(scope="module")
def upstream() -> Iterator[BatchProvider]:
    started = BatchProvider()
    started.start()
    yield started
    started.stop()


def _crashing(calm: GatewayProcess, point: str) -> CrashingGateway:
    crashing = CrashingGateway(
        calm.folder,
        calm.configuration,
        environ=calm.environ,
        point=point[:2],
        nth=NTH.get(point[:2], 1),
        script="crashing_batches.py",
    )
    crashing.start()
    return crashing


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_of_a_batch_neither_loses_nor_doubles_a_line(
    point: str, upstream: BatchProvider, tmp_path: Path, new_store: NewStore
) -> None:
    location = new_store()
    key = limited(location)
    begun = len(upstream.fake.batches)
    calm = gateway_of(tmp_path / "gateway", upstream.configuration(), location)
    crashing = _crashing(calm, point)
    messages = [{"role": "user", "content": "word " * 300}]
    lines = [line(f"n{number}", messages=messages) for number in range(LINES)]
    with crashing.client(key) as client:
        batch = made(client, lines)
    crashing.died()
    assert crashing.process.returncode == -9, crashing.log
    calm.start()
    with calm.client(key) as client:
        done = ended(client, batch.id)
        assert done.status == "completed", done.errors
        assert done.request_counts is not None
        assert done.request_counts.completed == LINES
        answers = content(client, done.output_file_id)
        assert [each["custom_id"] for each in answers] == [f"n{n}" for n in range(LINES)]
        files = [each.purpose for each in client.files.list()]
    fake, name = upstream.fake, f"{batch.id}.jsonl"
    copies = {file for file, called in fake.names.items() if called == name}
    assert len(copies) == (2 if point.startswith("U2") else 1)
    assert copies <= {*fake.deleted}
    calm.stop()
    assert sorted(files) == ["batch", "batch_output"]
    assert len(upstream.fake.batches) == begun + 1
    with closing(open_store(location)) as database:
        calls, costs = only_row(database, "SELECT count(*), sum(amount) FROM call")
        assert (int(calls), int(costs)) == (LINES, LINES * (20 * 75_000 + 10 * 300_000))
        check_ledger(database)


def test_two_gateways_on_one_store_begin_and_settle_a_batch_once(
    upstream: BatchProvider, tmp_path: Path, new_store: NewStore
) -> None:
    location = new_store()
    key = limited(location)
    begun = len(upstream.fake.batches)
    gateways = [
        gateway_of(tmp_path / name, upstream.configuration(), location) for name in ("one", "two")
    ]
    for each in gateways:
        each.start()
    with gateways[0].client(key) as one, gateways[1].client(key) as two:
        batches = [made(client, [line("a"), line("b")]) for client in (one, two, one, two)]
        assert [ended(two, each.id).status for each in batches] == ["completed"] * 4
    for each in gateways:
        each.stop()
    assert len(upstream.fake.batches) == begun + 4
    with closing(open_store(location)) as database:
        assert only_row(database, "SELECT count(*) FROM call")[0] == 8
        check_ledger(database)


def test_a_provider_that_began_without_saying_so_is_not_asked_twice(
    upstream: BatchProvider, tmp_path: Path, new_store: NewStore
) -> None:
    location = new_store()
    key = limited(location)
    begun = len(upstream.fake.batches)
    upstream.fake.hooks["POST /v1/batches"] = lambda: None
    gateway = gateway_of(tmp_path / "gateway", upstream.configuration(), location)
    gateway.start()
    with gateway.client(key) as client:
        assert ended(client, made(client, [line("a")]).id).status == "completed"
    gateway.stop()
    assert len(upstream.fake.batches) == begun + 1
    with closing(open_store(location)) as database:
        check_ledger(database)
