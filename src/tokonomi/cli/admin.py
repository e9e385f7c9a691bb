"""`tokonomi admin token`: who may use the admin API."""

import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App

from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place, utc_now
from tokonomi.reports.amounts import instant_text
from tokonomi.reports.tables import Heading, Table
from tokonomi.storage.admin_tokens import AdminToken, Role, create, every_token, revoke

app = App(name="admin", help="Make, list and revoke the tokens of the admin API.")
token = App(name="token", help="Tokens of the admin API.")
app.command(token)

_HEADINGS: Final = (
    Heading("id"),
    Heading("name"),
    Heading("role"),
    Heading("hint"),
    Heading("created"),
    Heading("revoked", optional=True),
)


@token.command(name="create")
def create_token(*, name: str, role: Role = Role.VIEWER, place: Place = DEFAULT_STORE) -> None:
    """Make a token and print it. It is stored only as a hash, so it is shown this once.

    Args:
        name: what you call it, such as the program that will use it.
        role: a viewer reads, an operator also changes keys, budgets and credits, an admin all.
        place: which store.
    """
    with place.opened() as database:
        text, made = create(database, name, role=role, now=utc_now())
    sys.stdout.write(f"{text}\n")
    sys.stderr.write(
        f"Keep it: it is not shown again. Who has it is {role}."
        f" Revoke it with: tokonomi admin token revoke {made.id}\n"
    )


@token.command(name="list")
def list_tokens(*, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List all tokens, the revoked ones too, without the tokens themselves.

    Args:
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        tokens = every_token(database)
    answer.print(_table(tokens))


@token.command(name="revoke")
def revoke_token(token_id: str, /, *, place: Place = DEFAULT_STORE) -> None:
    """Revoke a token. The next request with it is refused.

    Args:
        token_id: the token's id, as `tokonomi admin token list` shows it.
        place: which store.
    """
    with place.opened() as database:
        revoked = revoke(database, token_id, now=utc_now())
    sys.stdout.write(f"{revoked.id} ({revoked.name}, ...{revoked.hint}) is revoked\n")


def _table(tokens: Sequence[AdminToken]) -> Table:
    rows = tuple(
        (
            each.id,
            each.name,
            str(each.role),
            f"...{each.hint}",
            instant_text(each.created),
            instant_text(each.revoked),
        )
        for each in tokens
    )
    notes = (
        () if rows else ("There are none. `tokonomi admin token create --name NAME` makes one.",)
    )
    return Table("Admin tokens", _HEADINGS, rows, notes)
