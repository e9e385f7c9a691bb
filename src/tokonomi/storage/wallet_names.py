"""The wallets that people name: a value of a dimension, in a project that exists."""

from typing import Final

from tokonomi.credits.wallet import PROJECT, WalletName, WalletRule, wallet_name
from tokonomi.errors import BadInput, NotFound
from tokonomi.naming import escaped, meant
from tokonomi.storage.database import Database, begins_with
from tokonomi.storage.keys import DEFAULT_PROJECT
from tokonomi.storage.ledger import WALLET

_LISTED: Final = 5
"""Projects that an error names."""


def wallet_named(database: Database, text: str, *, project: str = "", grant: str = "") -> str:
    """The id of the wallet that a person names.

    `text` is `user=ani` or `tag:document=d-7` in a project, `project=NAME` or `project` alone for a
    project's own wallet, or a wallet's id. Where `project` is not given and not part of the text,
    the wallet of `grant`, the id of one that may be told again, is meant where it has that name:
    projects that came later change no answer. Otherwise it is the only project there is.

    Raises:
        BadInput: it names no wallet, two projects, or none of several.
        NotFound: no key and no wallet belongs to this project.
    """
    name = _named(text, project)
    if name.project and project and name.project != project:
        raise BadInput(
            f"{text} is of project {name.project!r}, and not of {project!r}",
            remedy="Leave one of them out.",
        )
    if not name.project and (told := _of_grant(database, grant, name)):
        return told
    if not name.project:
        only = _only_project(database)
        name = WalletName(only, name.per, name.value or only)
    elif not _exists(database, name.project):
        raise _unknown(database, name.project)
    return name.id


def _named(text: str, project: str) -> WalletName:
    """What the text and the project say; a project or value that nobody says is empty."""
    if text == PROJECT:
        return WalletName(project, PROJECT, project)
    per, equals, value = text.partition("=")
    if not equals or not value:
        return wallet_name(text)
    WalletRule(per=per)
    return WalletName(value if per == PROJECT else project, per, value)


def _of_grant(database: Database, grant: str, name: WalletName) -> str | None:
    """The wallet of a grant, where it is called so in its project."""
    row = database.execute("SELECT wallet FROM wallet_grant WHERE id = ?", (grant,)).fetchone()
    if row is None:
        return None
    of = wallet_name(row[0])
    same = of.per == name.per and name.value in ("", of.value)
    return of.id if same else None


def _only_project(database: Database) -> str:
    known = _projects(database)
    if not known:
        return DEFAULT_PROJECT
    if len(known) > 1:
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        raise BadInput(
            f"there are {len(known)} projects: {', '.join(known[:_LISTED])}{more}",
            remedy="Say whose wallet is meant with the project.",
        )
    return known[0]


def _projects(database: Database) -> list[str]:
    """The projects that have keys, the revoked ones among them."""
    return sorted(row[0] for row in database.execute("SELECT DISTINCT project FROM api_key"))


def _exists(database: Database, project: str) -> bool:
    if project == DEFAULT_PROJECT or project in _projects(database):
        return True
    name = escaped(project)
    return any(
        _any_account(database, f"{WALLET}{begins}") for begins in (f"{name}:", f"{PROJECT}:{name}:")
    )


def _any_account(database: Database, begins: str) -> bool:
    where, values = begins_with("name", begins)
    found = database.execute(f"SELECT 1 FROM account WHERE {where} LIMIT 1", values)  # noqa: S608 - ours
    return found.fetchone() is not None


def _unknown(database: Database, project: str) -> NotFound:
    known = _projects(database) or [DEFAULT_PROJECT]
    return NotFound(
        f"no key and no wallet belongs to a project {project!r}",
        remedy=f"{meant(project, known)} `tokonomi keys create --project` begins a new one.",
    )
