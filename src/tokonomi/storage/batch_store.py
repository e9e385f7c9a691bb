"""Batches in the store: made, shown to their owners, and worked on by one process at a time.

A process claims a batch before it does anything for it, and everything that it then writes of the
batch asks whether the claim still stands. A claim ends with the step, or with its process.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from tokonomi.batches.batch import Batch, Progress, Stage
from tokonomi.errors import StoreError
from tokonomi.storage.database import Database, Row, only_row
from tokonomi.storage.file_store import Page, StoredFile, finish_file, page_of

_COLUMNS: Final = "made, progress, cancelling_us"
_FREE: Final = (
    "(worker IS NULL OR worker = ? OR EXISTS"
    " (SELECT 1 FROM worker WHERE worker.id = batch.worker AND worker.ended_us IS NOT NULL))"
)
_MOST_AT_ONCE: Final = 100
"""Batches that one round forgets."""
_encode: Final = msgspec.json.Encoder().encode
_decode_batch: Final = msgspec.json.Decoder(Batch).decode
_decode_progress: Final = msgspec.json.Decoder(Progress).decode


class StoredBatch(NamedTuple):
    """A batch, how far it has come, and when its client asked to cancel it."""

    batch: Batch
    progress: Progress
    cancelling_us: int | None = None


class ClaimLost(StoreError):
    """Another process works on the batch now; nothing was written."""


def create_batch(database: Database, batch: Batch, *, most_open: int) -> bool:
    """Whether there is the batch now; not when its project has `most_open` that have not ended."""
    with database.transaction():
        if count_open(database, batch.project) >= most_open:
            return False
        database.execute(
            "INSERT INTO batch (id, project, input_file, made, progress, created_us, due_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                batch.id,
                batch.project,
                batch.input_file,
                _encode(batch).decode(),
                _encode(Progress()).decode(),
                batch.created_us,
                batch.created_us,
            ),
        )
    return True


def count_open(database: Database, project: str) -> int:
    """How many batches of a project have not ended."""
    row = only_row(
        database,
        "SELECT count(*) FROM batch WHERE project = ? AND ended_us IS NULL",
        (project,),
    )
    return int(row[0])


def find_batch(database: Database, batch_id: str, project: str | None = None) -> StoredBatch | None:
    """The batch of a project, or of any where none is named; None where there is none."""
    whose, values = ("", ()) if project is None else (" AND project = ?", (project,))
    row = database.execute(
        f"SELECT {_COLUMNS} FROM batch WHERE id = ?{whose}",  # noqa: S608 - ours
        (batch_id, *values),
    ).fetchone()
    return None if row is None else _stored(row)


def list_batches(database: Database, page: Page, project: str | None) -> list[StoredBatch] | None:
    """A part of the batches of a project, or of all, by their age; None where `after` is none."""
    of: tuple[str, Sequence[str]] = ("1 = 1", []) if project is None else ("project = ?", [project])
    rows = page_of(database, _COLUMNS, "batch", of, page)
    return None if rows is None else [_stored(row) for row in rows]


def cancel_batch(
    database: Database, project: str, batch_id: str, *, now_us: int
) -> StoredBatch | None:
    """The batch, to be cancelled from now on unless it is settled already; None of none."""
    with database.transaction():
        found = find_batch(database, batch_id, project)
        if found is None or found.cancelling_us is not None:
            return found
        if found.progress.stage in (Stage.SETTLING, Stage.ENDED):
            return found
        database.execute(
            "UPDATE batch SET cancelling_us = ?, due_us = ? WHERE id = ?",
            (now_us, now_us, batch_id),
        )
    return found._replace(cancelling_us=now_us)


def claim_batch(
    database: Database, worker: int, *, now_us: int, busy: Collection[str] = ()
) -> StoredBatch | None:
    """A batch with something to do that is this worker's from now on; None if there is none.

    What a worker that has ended had claimed is free again. `busy` are those that this worker is at:
    one that it has claimed and is not at is one whose end it could not write.
    """
    marks = ", ".join("?" * len(busy)) or "''"
    due = f"due_us <= ? AND {_FREE} AND id NOT IN ({marks})"
    values = (now_us, worker, *busy)
    found = database.execute(
        f"SELECT 1 FROM batch WHERE {due} LIMIT 1",  # noqa: S608 - ours
        values,
    )
    if found.fetchone() is None:
        return None
    skip = " FOR UPDATE SKIP LOCKED" if database.dialect == "postgresql" else ""
    with database.transaction():
        row = database.execute(
            f"SELECT {_COLUMNS}, id FROM batch WHERE {due} ORDER BY due_us LIMIT 1{skip}",  # noqa: S608 - ours
            values,
        ).fetchone()
        if row is None:
            return None
        database.execute("UPDATE batch SET worker = ? WHERE id = ?", (worker, row[3]))
    return _stored(row[:3])


def save_progress(database: Database, batch_id: str, progress: Progress, *, worker: int) -> None:
    """Writes how far a batch has come that this worker has claimed; it keeps the claim.

    Raises:
        ClaimLost: the worker was taken for dead, and another one has claimed it.
    """
    changed = database.execute(
        "UPDATE batch SET progress = ? WHERE id = ? AND worker = ?",
        (_encode(progress).decode(), batch_id, worker),
    )
    if changed.rowcount == 0:
        raise ClaimLost(f"batch {batch_id} is worked on by another gateway now")


def is_cancelling(database: Database, batch_id: str, *, worker: int) -> bool:
    """Whether the client has asked to cancel a batch that this worker has claimed.

    Raises:
        ClaimLost: as `save_progress` does.
    """
    row = database.execute(
        "SELECT cancelling_us FROM batch WHERE id = ? AND worker = ?", (batch_id, worker)
    ).fetchone()
    if row is None:
        raise ClaimLost(f"batch {batch_id} is worked on by another gateway now")
    return row[0] is not None


def let_go(
    database: Database, batch_id: str, progress: Progress, *, worker: int, due_us: int
) -> None:
    """Writes how far a batch has come, and gives the claim back until it is due again.

    A batch that has ended is never due again. One whose client has asked to cancel it meanwhile is
    due at once, until the provider was told.
    """
    with database.transaction():
        cancelling = is_cancelling(database, batch_id, worker=worker)
        due: int | None = due_us
        if progress.stage is Stage.ENDED:
            due = None
        elif cancelling and not progress.cancel_sent and not progress.failures:
            due = 0
        database.execute(
            "UPDATE batch SET progress = ?, worker = NULL, ended_us = ?, due_us = ?"
            " WHERE id = ? AND worker = ?",
            (_encode(progress).decode(), progress.ended_us, due, batch_id, worker),
        )


def end_batch(
    database: Database,
    batch_id: str,
    progress: Progress,
    results: Sequence[StoredFile],
    *,
    worker: int,
) -> None:
    """The batch has ended, and its results are there: both at once, or neither.

    Raises:
        ClaimLost: as `save_progress` does.
    """
    with database.transaction():
        save_progress(database, batch_id, progress, worker=worker)
        for file in results:
            finish_file(database, file)
        database.execute(
            "UPDATE batch SET worker = NULL, due_us = NULL, ended_us = ? WHERE id = ?",
            (progress.ended_us, batch_id),
        )


def ended_before(database: Database, at_us: int) -> list[str]:
    """Some of the batches that had ended before an instant."""
    rows = database.execute(
        "SELECT id FROM batch WHERE ended_us <= ? LIMIT ?", (at_us, _MOST_AT_ONCE)
    ).fetchall()
    return [row[0] for row in rows]


def forget_batch(database: Database, batch_id: str) -> None:
    """Removes a batch that has ended, with its lines; the calls that they were stay."""
    with database.transaction():
        database.execute("DELETE FROM batch_line WHERE batch = ?", (batch_id,))
        database.execute("DELETE FROM batch WHERE id = ?", (batch_id,))


def _stored(row: Row) -> StoredBatch:
    return StoredBatch(_decode_batch(row[0]), _decode_progress(row[1]), row[2])
