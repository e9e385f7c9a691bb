"""How a change of the configuration is shown, asked for and made, by every command."""

import sys
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from tokonomi.cli.store_options import author, utc_now
from tokonomi.configuration.checks import warnings
from tokonomi.errors import WrongUsage
from tokonomi.reports.configuration import Mark, plan_lines
from tokonomi.storage.config_files import Plan
from tokonomi.storage.config_store import apply
from tokonomi.storage.database import Database
from tokonomi.storage.price_files import load_book

CHANGES_FOUND: Final = 4
"""Exit code of a plan that has changes, when that was to be told."""
_STYLES: Final[dict[Mark, str]] = {"+": "green", "~": "yellow", "-": "red", "": ""}


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a change is made: only shown, made without a question, or made after one."""

    plan_only: bool = False
    yes: bool = False


def carry_out(database: Database, plan: Plan, consent: Consent, *, message: str) -> bool:
    """Whether the plan has changes; it is shown, and made where that is wanted.

    Raises:
        WrongUsage: nobody is there to be asked.
        Conflict: somebody changed the configuration after the plan was made.
    """
    _show(plan)
    if not plan.changes or consent.plan_only:
        return bool(plan.changes)
    if not consent.yes and not _agreed():
        sys.stderr.write("Nothing was changed.\n")
        return True
    applied = apply(
        database, plan.wanted, based_on=plan.based_on, now=utc_now(), by=author(message)
    )
    sys.stderr.write(
        f"Applied as version {applied.version}. Running gateways use it within a second.\n"
    )
    return True


def _show(plan: Plan) -> None:
    out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    for mark, line in plan_lines(plan.changes):
        out.print(line, style=_STYLES[mark] or None)
    book = load_book(plan.wanted.contract)
    for warning in warnings(plan.wanted, book, at=utc_now()):
        sys.stderr.write(f"Warning: {warning}\n")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise WrongUsage(
            "nobody is here to be asked, and nothing was changed",
            remedy="Say --yes to apply, or --plan to look only.",
        )
    sys.stderr.write("Apply this? Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
