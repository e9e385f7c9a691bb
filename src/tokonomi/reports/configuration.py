"""What is said of the configuration: a plan of changes, its history, who runs which version."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from tokonomi.configuration.changes import ItemChange, fields_between
from tokonomi.configuration.toml_text import value_to_toml
from tokonomi.reports.amounts import instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.config_store import AuditRow, Version
from tokonomi.storage.secret_store import StoredSecret
from tokonomi.storage.workers import RunningWorker

Mark = Literal["+", "~", "-", ""]
MARKS: Final[dict[str, Mark]] = {"add": "+", "change": "~", "remove": "-"}


def plan_lines(changes: Sequence[ItemChange]) -> Iterator[tuple[Mark, str]]:
    """The lines of a plan, each with the mark that its colour goes by."""
    for change in changes:
        mark = MARKS[change.verb]
        yield mark, f"{mark} {change.item}"
        for field in change.fields:
            if change.verb == "change":
                yield mark, f"    {field.path}: {_said(field.before)} -> {_said(field.after)}"
            elif change.verb == "add":
                yield mark, f"    {field.path} = {_said(field.after)}"
    yield "", count_of(changes)


def count_of(changes: Sequence[ItemChange]) -> str:
    """One sentence that counts what changes."""
    if not changes:
        return "Nothing to change."
    verbs = [change.verb for change in changes]
    counts = [f"{verbs.count(verb)} to {verb}" for verb in MARKS if verb in verbs]
    return f"{', '.join(counts)}."


def changes_table(title: str, changes: Iterable[ItemChange]) -> Table:
    """One line for each value that differs."""
    headings = (
        Heading("change"),
        Heading("item"),
        Heading("field"),
        Heading("before", optional=True),
        Heading("after", optional=True),
    )
    rows = tuple(
        (change.verb, str(change.item), field.path, _cell(field.before), _cell(field.after))
        for change in changes
        for field in change.fields
    )
    return Table(title, headings, rows, () if rows else ("Nothing differs.",))


def history_table(versions: Iterable[Version]) -> Table:
    """One line for each version, the newest first."""
    headings = (
        Heading("version", numeric=True),
        Heading("at"),
        Heading("who"),
        Heading("message", optional=True),
    )
    rows = tuple((each.number, instant_text(each.at), each.who, each.message) for each in versions)
    notes = () if rows else ("There is none yet. `tokonomi apply -f FILE` makes the first.",)
    return Table("Versions of the configuration, the newest first", headings, rows, notes)


def audit_table(version: Version, audited: Iterable[AuditRow]) -> Table:
    """One line for each value that a version changed: what it was, and what it became."""
    headings = (
        Heading("kind"),
        Heading("name", optional=True),
        Heading("field"),
        Heading("before", optional=True),
        Heading("after", optional=True),
    )
    rows = tuple(
        (each.kind, each.name, field.path, _cell(field.before), _cell(field.after))
        for each in audited
        for field in fields_between(each.before, each.after)
    )
    said = f": {version.message}" if version.message else ""
    title = f"Version {version.number}, {instant_text(version.at)}, {version.who}{said}"
    return Table(title, headings, rows)


def status_table(newest: int, running: Sequence[RunningWorker]) -> Table:
    """One line for each gateway: the version that it runs, and why it runs no newer one."""
    headings = (
        Heading("gateway", numeric=True),
        Heading("host"),
        Heading("pid", numeric=True),
        Heading("started"),
        Heading("version", numeric=True),
        Heading("failure", optional=True),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (each.id, each.host, each.pid, instant_text(each.started), each.version, each.failure)
        for each in running
    )
    notes = () if rows else ("No gateway runs on this store.",)
    return Table(f"Gateways; version {newest} is in force", headings, rows, notes)


def secrets_table(secrets: Iterable[StoredSecret]) -> Table:
    """One line for each secret; the secrets themselves are never shown."""
    headings = (Heading("name"), Heading("set"), Heading("master_key"))
    rows = tuple((each.name, instant_text(each.set_at), each.key_id) for each in secrets)
    notes = () if rows else ("There are none. `tokonomi secrets set providers/NAME` sets one.",)
    return Table("Secrets in the store", headings, rows, notes)


def _said(value: object) -> str:
    return "nothing" if value is None else value_to_toml(value)


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
