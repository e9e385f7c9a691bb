"""The stages of a batch, and what its client reads of them."""

import pytest
from msgspec.structs import replace

from tokonomi.batches.batch import (
    Batch,
    BatchError,
    Leg,
    Outcome,
    Progress,
    RemoteBatch,
    Stage,
    ended,
    failed_again,
    given_up,
    may_be_billed,
    may_have_strays,
    running,
    seen,
    status_of,
    void,
)
from tokonomi.calls import Dimensions

BATCH = Batch(
    id="batch_1",
    project="p",
    key_id="k",
    endpoint="/v1/embeddings",
    input_file="file-1",
    total=3,
    provider="openai",
    price_as="openai",
    legs={"m": Leg("m", "m")},
    dimensions=Dimensions(),
    keep_seconds=10,
    created_us=1_000_000,
)
RUNNING = running(Progress(sent_us=1), RemoteBatch("remote", "validating"), now_us=5)


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        (Stage.HOLDING, "validating"),
        (Stage.VOIDING, "validating"),
        (Stage.UPLOADING, "validating"),
        (Stage.CREATING, "validating"),
        (Stage.RUNNING, "in_progress"),
        (Stage.SETTLING, "finalizing"),
    ],
)
def test_each_stage_has_a_status_of_openais(stage: Stage, status: str) -> None:
    assert status_of(Progress(stage=stage), cancelling=False) == status
    cancelled = "finalizing" if stage is Stage.SETTLING else "cancelling"
    assert status_of(Progress(stage=stage), cancelling=True) == cancelled


def test_what_has_ended_is_told_by_how_it_ended() -> None:
    over = ended(void(Progress(), "failed", BatchError("c", "m")), now_us=9)
    assert (status_of(over, cancelling=True), over.ended_us) == ("failed", 9)
    assert over.errors == (BatchError("c", "m"),)


def test_a_batch_that_has_begun_is_in_no_doubt_any_more() -> None:
    assert (RUNNING.stage, RUNNING.sent_us, RUNNING.started_us) == (Stage.RUNNING, None, 5)
    assert RUNNING.remote_batch == "remote"


def test_the_counts_of_a_provider_are_bounded_by_the_lines() -> None:
    remote = RemoteBatch("remote", "in_progress", completed=99, failed=-4)
    told = seen(failed_again(RUNNING, "why"), BATCH, remote, now_us=6)
    assert (told.stage, told.completed, told.failed) == (Stage.RUNNING, 3, 0)
    assert (told.failures, told.failure) == (0, "")


@pytest.mark.parametrize("status", ["in_progress", "finalizing", "cancelling", "a new word", ""])
def test_a_batch_goes_on_until_its_provider_ends_it(status: str) -> None:
    assert seen(RUNNING, BATCH, RemoteBatch("r", status), now_us=6).stage is Stage.RUNNING


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_a_batch_settles_once_its_provider_has_ended_it(status: Outcome) -> None:
    remote = RemoteBatch("r", status, output_file="o", error_file="e")
    told = seen(RUNNING, BATCH, remote, now_us=6)
    assert (told.stage, told.outcome, told.finalizing_us) == (Stage.SETTLING, status, 6)
    assert (told.remote_output, told.remote_error) == ("o", "e")
    assert may_be_billed(told) is (status == "completed")


def test_lines_of_a_batch_that_was_given_up_may_be_billed() -> None:
    lost = given_up(RUNNING, now_us=8, why="nobody knows")
    assert (lost.stage, lost.outcome) == (Stage.SETTLING, "failed")
    assert may_be_billed(lost)
    assert not may_be_billed(replace(lost, is_lost=False))


def test_the_provider_may_have_a_copy_more_than_those_whose_ids_are_known() -> None:
    known = Progress(uploads=1, remote_file="f")
    assert not may_have_strays(Progress())
    assert not may_have_strays(known)
    assert may_have_strays(Progress(uploads=1))
    assert may_have_strays(replace(known, uploads=2))


def test_failures_are_counted_with_their_reason() -> None:
    twice = failed_again(failed_again(Progress(), "a"), "b")
    assert (twice.failures, twice.failure) == (2, "b")


def test_a_batch_has_a_day_and_is_waited_for_another_one() -> None:
    day = 24 * 3_600 * 1_000_000
    assert BATCH.expires_us == 1_000_000 + day
    assert BATCH.given_up_us == 1_000_000 + 2 * day
