"""Files that state configuration, and what applying them to the store would change."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import available_timezones

from tokonomi.configuration.canonical import Reading
from tokonomi.configuration.changes import ItemChange, changes_between, laid_over
from tokonomi.configuration.document import Document
from tokonomi.configuration.reading import Stated, read_texts
from tokonomi.errors import BadConfig
from tokonomi.storage.changes import UNNAMED, Author
from tokonomi.storage.config_store import Applied, apply, in_force
from tokonomi.storage.database import Database
from tokonomi.storage.location import CONFIG_FILE


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted, and what has to change for it.

    Attributes:
        based_on: the version that was in force when the plan was made.
        wanted: the whole document after it.
        changes: what lies between the two.
    """

    based_on: int
    wanted: Document
    changes: tuple[ItemChange, ...]


def known_to_this_machine() -> Reading:
    """How tables are read here: with the time zones that this machine knows."""
    return Reading(available_timezones())


def stated_by(path: Path) -> Stated:
    """What a file states, or all `*.toml` files of a folder except `tokonomi.toml`.

    Raises:
        BadConfig: a file cannot be read, or something in it is wrong; the line is named.
    """
    files = [path]
    if path.is_dir():
        files = sorted(each for each in path.glob("*.toml") if each.name != CONFIG_FILE.name)
        if not files:
            raise BadConfig(f"the folder {path} has no file *.toml to apply")
    return stated_in({str(file): _text(file) for file in files})


def stated_in(texts: dict[str, str]) -> Stated:
    """What TOML texts state, by the names that errors call them.

    Raises:
        BadConfig: something in them is wrong; the line is named.
    """
    return read_texts(texts, known_to_this_machine())


def plan_for(database: Database, stated: Stated, *, prune: bool = False) -> Plan:
    """What applying would change; with `prune` items of the stated kinds that are not stated go.

    Raises:
        BadConfig: what is stated does not fit to what is in the store.
    """
    now = in_force(database)
    wanted = laid_over(now.document, stated, prune=prune)
    stated.check(wanted)
    return Plan(now.version, wanted, changes_between(now.document, wanted))


def apply_text(
    database: Database, text: str, *, now: datetime, by: Author = UNNAMED, name: str = "the text"
) -> Applied:
    """What was changed so that everything in a TOML text is in force.

    Raises:
        BadConfig: something in it is wrong.
        Conflict: somebody changed the configuration at the same time.
    """
    plan = plan_for(database, stated_in({name: text}))
    return apply(database, plan.wanted, based_on=plan.based_on, now=now, by=by)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{file} cannot be read: {error}", remedy="Check the path.") from error
