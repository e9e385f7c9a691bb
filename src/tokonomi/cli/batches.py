"""`tokonomi batches`: the batches of all projects, and how far each has come."""

from cyclopts import App

from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place
from tokonomi.errors import NotFound
from tokonomi.reports.batches import batch_table, batches_table
from tokonomi.storage.batch_store import find_batch, list_batches
from tokonomi.storage.file_store import Page

app = App(name="batches", help="Show batches, and how far each has come.")


@app.command(name="list")
def list_them(
    *, project: str = "", last: int = 50, place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """List batches, the newest first.

    Args:
        project: only those of this project.
        last: how many.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = list_batches(database, Page(limit=max(last, 1)), project or None)
    answer.print(batches_table(found or []))


@app.command(name="show")
def show(batch: str, /, *, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """Show one batch: what it is doing, and why it has failed if it has.

    Args:
        batch: its id, as `tokonomi batches list` shows it.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = find_batch(database, batch)
    if found is None:
        raise NotFound(
            f'there is no batch "{batch}"',
            remedy="`tokonomi batches list` lists those that are kept.",
        )
    answer.print(batch_table(found))
