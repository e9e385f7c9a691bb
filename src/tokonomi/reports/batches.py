"""The tables of batches: all of them, and one with everything that is known of it."""

from collections.abc import Sequence

from tokonomi.batches.batch import status_of
from tokonomi.reports.amounts import instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.batch_store import StoredBatch
from tokonomi.storage.call_rows import instant


def batches_table(batches: Sequence[StoredBatch]) -> Table:
    """One line per batch, in their order."""
    headings = (
        Heading("batch"),
        Heading("project"),
        Heading("status"),
        Heading("stage"),
        Heading("provider"),
        Heading("lines", numeric=True),
        Heading("completed", numeric=True),
        Heading("failed", numeric=True),
        Heading("made"),
        Heading("why", optional=True),
    )
    rows = tuple(_line(each) for each in batches)
    notes = () if rows else ("There is no batch. Clients make them with POST /v1/batches.",)
    return Table("Batches", headings, rows, notes)


def batch_table(stored: StoredBatch) -> Table:
    """One line per thing that is known of a batch."""
    batch, progress, cancelling_us = stored
    known: dict[str, Cell] = {
        "batch": batch.id,
        "project": batch.project,
        "key": batch.key_id,
        "status": _status(stored),
        "stage": progress.stage.value,
        "endpoint": batch.endpoint,
        "provider": batch.provider,
        "models": ", ".join(batch.legs),
        "lines": batch.total,
        "completed": progress.completed,
        "failed": progress.failed,
        "input file": batch.input_file,
        "output file": progress.output_file or None,
        "error file": progress.error_file or None,
        "the provider's id": progress.remote_batch or None,
        "made": _instant(batch.created_us),
        "begun": _instant(progress.started_us),
        "cancelled": _instant(cancelling_us),
        "ended": _instant(progress.ended_us),
        "steps failed in a row": progress.failures or None,
        "last failure": progress.failure or None,
    }
    rows: list[tuple[Cell, ...]] = [
        (name, value) for name, value in known.items() if value is not None
    ]
    rows += [("error", _error(each.code, each.message, each.line)) for each in progress.errors]
    return Table("Batch", (Heading("what"), Heading("value")), tuple(rows), ())


def _line(stored: StoredBatch) -> tuple[Cell, ...]:
    batch, progress, _ = stored
    why = progress.failure or next((each.code for each in progress.errors), "")
    return (
        batch.id,
        batch.project,
        _status(stored),
        progress.stage.value,
        batch.provider,
        batch.total,
        progress.completed,
        progress.failed,
        _instant(batch.created_us),
        why or None,
    )


def _status(stored: StoredBatch) -> str:
    return status_of(stored.progress, cancelling=stored.cancelling_us is not None)


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else instant_text(instant(at_us))


def _error(code: str, message: str, line: int | None) -> str:
    where = "" if line is None else f" (line {line})"
    return f"{code}{where}: {message}"
