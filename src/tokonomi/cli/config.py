"""`tokonomi config`: the versions of the configuration, and which gateway runs which."""

import sys
from contextlib import closing

import msgspec
from cyclopts import App

from tokonomi.cli.config_plan import CHANGES_FOUND, Consent, carry_out
from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place
from tokonomi.configuration.changes import changes_between
from tokonomi.configuration.schema import document_schema
from tokonomi.errors import WrongUsage
from tokonomi.reports.configuration import (
    audit_table,
    changes_table,
    history_table,
    status_table,
)
from tokonomi.storage import config_store
from tokonomi.storage.config_files import Plan
from tokonomi.storage.engine import open_store
from tokonomi.storage.workers import running_workers

app = App(name="config", help="Show, compare and take back versions of the configuration.")


@app.command(name="history")
def list_versions(*, last: int = 20, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List the versions of the configuration: when, who, and why.

    Budgets, wallet rules and exchange rates that were changed one by one are versions too.

    Args:
        last: how many, the newest first.
        place: which store.
        answer: how the answer is written.
    """
    if last < 1:
        raise WrongUsage(f"--last {last} is no number of versions", remedy="Ask for 1 or more.")
    with closing(open_store(place.location.readable)) as database:
        versions = config_store.latest_versions(database, last=last)
    answer.print(history_table(versions))


@app.command(name="show")
def show_version(version: int, /, *, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """Show what a version changed: each item before and after it.

    The whole document of a version is written by `tokonomi export config --version N`.

    Args:
        version: its number.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = config_store.find_version(database, version)
        audited = config_store.audit_of(database, version)
    answer.print(audit_table(found, audited))


@app.command(name="diff")
def compare_versions(
    old: int,
    new: int,
    /,
    *,
    fail_on_changes: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> int:
    """Compare two versions, value by value.

    Args:
        old: number of the one.
        new: number of the other.
        fail_on_changes: exit with 4 when they differ.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        changes = changes_between(
            config_store.document_of(database, old), config_store.document_of(database, new)
        )
    answer.print(changes_table(f"From version {old} to version {new}", changes))
    return CHANGES_FOUND if changes and fail_on_changes else 0


@app.command(name="rollback")
def roll_back(
    version: int,
    /,
    *,
    plan: bool = False,
    yes: bool = False,
    message: str = "",
    place: Place = DEFAULT_STORE,
) -> None:
    """Make a new version with the document of an old one.

    What was spent stays spent, and secrets stay as they are.

    Args:
        version: number of the old one.
        plan: only show what would change.
        yes: change it without asking.
        message: why, for the history.
        place: which store.
    """
    with place.opened() as database:
        now = config_store.in_force(database)
        wanted = config_store.document_of(database, version)
        found = Plan(now.version, wanted, changes_between(now.document, wanted))
        said = message or f"back to version {version}"
        carry_out(database, found, Consent(plan_only=plan, yes=yes), message=said)


@app.command(name="status")
def show_status(*, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """Show the gateways that run on the store, and which version each of them uses.

    A gateway that cannot use a version, because it lacks a key for example, keeps the one before.

    Args:
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        newest = config_store.version_in_force(database)
        running = running_workers(database)
    answer.print(status_table(newest, running))


@app.command(name="schema")
def print_schema() -> None:
    """Print the JSON Schema of the document, for editors that check TOML files."""
    encoded = msgspec.json.encode(document_schema())
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode())
    sys.stdout.write("\n")
