"""Batches in the store: one worker at a time, and what becomes of a claim."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tokonomi.batches.batch import Batch, Leg, Progress, Stage, ended, void
from tokonomi.calls import Dimensions
from tokonomi.storage import orphans, workers
from tokonomi.storage.batch_store import (
    ClaimLost,
    cancel_batch,
    claim_batch,
    create_batch,
    end_batch,
    ended_before,
    find_batch,
    forget_batch,
    let_go,
    list_batches,
    save_progress,
)
from tokonomi.storage.call_rows import instant
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.file_store import Page, StoredFile, begin_file, delete_file, finish_file

NewStore = Callable[[], Path | str]
NOW = instant(1_800_000_000_000_000)


@pytest.fixture
def database(new_store: NewStore) -> Iterator[Database]:
    with closing(open_store(new_store())) as opened:
        yield opened


def batch(name: str = "batch_1", *, project: str = "p") -> Batch:
    return Batch(
        id=name,
        project=project,
        key_id="k",
        endpoint="/v1/embeddings",
        input_file="file-1",
        total=1,
        provider="openai",
        price_as="openai",
        legs={"m": Leg("m", "m")},
        dimensions=Dimensions(project=project),
        keep_seconds=10,
        created_us=5,
        metadata={"a": "b"},
    )


def test_a_batch_is_claimed_by_one_worker_and_given_back(database: Database) -> None:
    one, two = (workers.register(database, now=NOW) for _ in range(2))
    assert create_batch(database, batch(), most_open=1)
    assert claim_batch(database, one, now_us=4) is None
    claimed = claim_batch(database, one, now_us=6)
    assert claimed is not None
    assert (claimed.batch, claimed.progress) == (batch(), Progress())
    assert claim_batch(database, two, now_us=6) is None
    assert claim_batch(database, one, now_us=6, busy=["batch_1"]) is None
    later = Progress(held_lines=7)
    with pytest.raises(ClaimLost):
        save_progress(database, "batch_1", later, worker=two)
    let_go(database, "batch_1", later, worker=one, due_us=9)
    assert claim_batch(database, two, now_us=8) is None
    again = claim_batch(database, two, now_us=9)
    assert again is not None
    assert again.progress == later


def test_the_claim_of_a_worker_that_died_is_free(new_store: NewStore) -> None:
    location = new_store()
    with closing(open_store(location)) as database:
        with closing(open_store(location)) as other:
            dead = workers.register(other, now=NOW)
            create_batch(other, batch(), most_open=1)
            assert claim_batch(other, dead, now_us=6) is not None
            workers.retire(other, dead, now=NOW)
        alive = workers.register(database, now=NOW)
        orphans.sweep(database, now=NOW)
        assert claim_batch(database, alive, now_us=6) is not None
        with pytest.raises(ClaimLost):
            end_batch(database, "batch_1", Progress(), (), worker=dead)


def test_a_batch_that_is_to_be_cancelled_is_due_at_once(database: Database) -> None:
    worker = workers.register(database, now=NOW)
    create_batch(database, batch(), most_open=1)
    assert cancel_batch(database, "q", "batch_1", now_us=7) is None
    claim_batch(database, worker, now_us=6)
    cancelled = cancel_batch(database, "p", "batch_1", now_us=7)
    assert cancelled is not None
    assert cancelled.cancelling_us == 7
    let_go(database, "batch_1", Progress(stage=Stage.RUNNING), worker=worker, due_us=900)
    assert claim_batch(database, worker, now_us=8) is not None
    told = Progress(stage=Stage.RUNNING, cancel_sent=True)
    let_go(database, "batch_1", told, worker=worker, due_us=900)
    assert claim_batch(database, worker, now_us=8) is None


def test_the_results_of_a_batch_are_there_when_it_has_ended(database: Database) -> None:
    worker = workers.register(database, now=NOW)
    asked = StoredFile(
        id="file-1", project="p", purpose="batch", name="", created_us=1, expires_us=2
    )
    begin_file(database, asked)
    finish_file(database, asked)
    create_batch(database, batch(), most_open=1)
    assert not create_batch(database, batch("batch_2"), most_open=1)
    assert delete_file(database, "p", "file-1") == "batch_1"
    claim_batch(database, worker, now_us=6)
    done = ended(void(Progress(), "failed"), now_us=50)
    end_batch(database, "batch_1", done, (), worker=worker)
    found = find_batch(database, "batch_1", "p")
    assert found is not None
    assert found.progress == done
    assert claim_batch(database, worker, now_us=99) is None
    assert delete_file(database, "p", "file-1") is None
    assert create_batch(database, replace(batch("batch_2"), created_us=6), most_open=1)
    listed = list_batches(database, Page(), "p") or []
    assert [each.batch.id for each in listed] == ["batch_2", "batch_1"]
    assert ended_before(database, 60) == ["batch_1"]
    forget_batch(database, "batch_1")
    assert find_batch(database, "batch_1") is None
    assert find_batch(database, "batch_2", "q") is None
