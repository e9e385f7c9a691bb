"""`tokonomi keys`: the virtual keys that clients call the gateway with."""

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from cyclopts import App

from tokonomi.cli.printing import AS_TABLE, Listing, print_table
from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.reports.tables import Heading, Table
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import Key, create, every_key, revoke

app = App(name="keys", help="Make, list and revoke the virtual keys that clients call with.")

_HEADINGS: Final = (
    Heading("id"),
    Heading("name"),
    Heading("project"),
    Heading("hint"),
    Heading("created"),
    Heading("revoked", optional=True),
)


@app.command(name="create")
def create_key(*, name: str, project: str = "default", place: Place = DEFAULT_STORE) -> None:
    """Make a key and print it. It is stored only as a hash, so it is shown this once.

    Args:
        name: what you call it, such as the program that will use it.
        project: whose calls it makes; reports group by it.
        place: which store.
    """
    with place.opened() as connection:
        text, key = create(connection, name, project, now=datetime.now(UTC))
    sys.stdout.write(f"{text}\n")
    sys.stderr.write(
        f"Keep it: it is not shown again. Running gateways know it within a second."
        f" Revoke it with: tokonomi keys revoke {key.id}\n"
    )


@app.command(name="list")
def list_keys(*, listing: Listing = AS_TABLE, place: Place = DEFAULT_STORE) -> None:
    """List all keys, the revoked ones too, without the keys themselves.

    Args:
        listing: how the list is written.
        place: which store.
    """
    with closing(open_store(place.location.readable)) as connection:
        keys = every_key(connection)
    print_table(_table(keys), listing)


@app.command(name="revoke")
def revoke_key(key_id: str, *, place: Place = DEFAULT_STORE) -> None:
    """Revoke a key. Running gateways refuse it within a second; calls in flight are finished.

    Args:
        key_id: the key's id, as `tokonomi keys list` shows it.
        place: which store.
    """
    with place.opened() as connection:
        key = revoke(connection, key_id, now=datetime.now(UTC))
    sys.stdout.write(f"{key.id} ({key.name}, ...{key.hint}) is revoked\n")


def _table(keys: Sequence[Key]) -> Table:
    rows = tuple(
        (
            key.id,
            key.name,
            key.project,
            f"...{key.hint}",
            _instant(key.created),
            _instant(key.revoked),
        )
        for key in keys
    )
    notes = () if keys else ("There are no keys. `tokonomi keys create --name NAME` makes one.",)
    return Table("Virtual keys", _HEADINGS, rows, notes)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
