"""`tokonomi secrets`: keys of providers in the store, sealed with a master key that is not."""

import getpass
import sys
from contextlib import closing

from cyclopts import App

from tokonomi.cli.store_options import (
    DEFAULT_STORE,
    PLAIN,
    Answer,
    Place,
    author,
    utc_now,
)
from tokonomi.errors import WrongUsage
from tokonomi.reports.configuration import secrets_table
from tokonomi.storage import secret_store
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import master_keys_of
from tokonomi.storage.master_keys import MasterKeys, new_key, read_master_keys, write_key_first

app = App(name="secrets", help="Set, list and remove secrets of providers in the store.")


@app.command(name="set")
def set_secret(name: str, /, *, place: Place = DEFAULT_STORE) -> None:
    """Set a secret, read from the terminal without showing it, or from standard input.

    A provider uses it when its table says `api_key_stored = true`, within a second.

    Args:
        name: providers/NAME, or alerts/webhook.
        place: which store.
    """
    keys = _keys(place)
    if sys.stdin.isatty():
        text = getpass.getpass(f"The secret {name}: ", stream=sys.stderr)
    else:
        text = sys.stdin.read()
    with place.opened() as database:
        stored = secret_store.set_secret(
            database, name, text.strip(), keys, now=utc_now(), by=author()
        )
    sys.stdout.write(f"{stored.name} is set, sealed with master key {stored.key_id}\n")


@app.command(name="list")
def list_secrets(*, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List the secrets by name, with the instant when each was set. No secret is shown.

    Args:
        place: which store.
        answer: how the answer is written.
    """
    with closing(open_store(place.location.readable)) as database:
        found = secret_store.every_secret(database)
    answer.print(secrets_table(found))


@app.command(name="remove")
def remove_secret(name: str, /, *, place: Place = DEFAULT_STORE) -> None:
    """Remove a secret. A provider that uses it keeps its key in the gateways that run.

    Args:
        name: providers/NAME, or alerts/webhook.
        place: which store.
    """
    with place.opened() as database:
        secret_store.remove_secret(database, name, now=utc_now(), by=author())
    sys.stdout.write(f"{name} is removed\n")


@app.command(name="rotate")
def rotate_secrets(*, place: Place = DEFAULT_STORE) -> None:
    """Seal every secret anew with the first of the master keys, all at once.

    First put a new key before the old one, with `tokonomi secrets new-key`, wherever a gateway
    reads it. When this has run, the old one can go.

    Args:
        place: which store.
    """
    keys = _keys(place)
    with place.opened() as database:
        names = secret_store.rotate(database, keys, now=utc_now(), by=author())
    said = ", ".join(names) or "nothing: all were"
    sys.stdout.write(f"sealed with master key {keys.current.id}: {said}\n")


@app.command(name="new-key")
def make_master_key(*, print_key: bool = False, place: Place = DEFAULT_STORE) -> None:
    """Make a master key, and put it first in the file of master keys, for its owner alone.

    Args:
        print_key: print it instead, for a variable of the environment.
        place: which store.
    """
    if print_key:
        sys.stdout.write(f"{new_key()}\n")
        return
    where = master_keys_of(place.location)
    if where.variable:
        raise WrongUsage(
            f"[secrets] key_env takes the master key from {where.variable}",
            remedy="Say --print-key, and put the new key before the old one in it.",
        )
    key = write_key_first(where.file)
    sys.stdout.write(
        f"master key {key.id} is the first in {where.file}\n"
        "Keep a copy elsewhere: without it the secrets in the store cannot be read.\n"
    )


def _keys(place: Place) -> MasterKeys:
    return read_master_keys(master_keys_of(place.location))
