"""`tokonomi apply`: configuration from files into the store."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tokonomi.cli.config_plan import CHANGES_FOUND, Consent, carry_out
from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.storage.config_files import plan_for, stated_by, stated_in

_STANDARD_INPUT: Final = Path("-")


def apply_files(
    *,
    file: Annotated[Path, Parameter(name=["--file", "-f"], allow_leading_hyphen=True)],
    plan: bool = False,
    yes: bool = False,
    prune: bool = False,
    message: str = "",
    fail_on_changes: bool = False,
    place: Place = DEFAULT_STORE,
) -> int:
    """Bring providers, models, prices, budgets and the rest from TOML files into the store.

    What the files state is added or takes the place of what has its name; everything else stays.
    The changes are shown and, on a terminal, asked about; then all of them are made, or none.
    Running gateways use them within a second, and no call is lost.

    Args:
        file: a TOML file, a folder of them, or - for standard input.
        plan: only show what would change.
        yes: change it without asking.
        prune: also remove what the files do not state, of each kind that they do state.
        message: why, for the history.
        fail_on_changes: exit with 4 when there was something to change.
        place: which store.
    """
    if file == _STANDARD_INPUT:
        stated = stated_in({"standard input": sys.stdin.read()})
    else:
        stated = stated_by(file)
    with place.opened() as database:
        found = plan_for(database, stated, prune=prune)
        changes = carry_out(database, found, Consent(plan_only=plan, yes=yes), message=message)
    return CHANGES_FOUND if changes and fail_on_changes else 0
