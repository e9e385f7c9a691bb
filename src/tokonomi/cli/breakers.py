"""`tokonomi breakers`: the circuit breakers of targets, and opening or closing one by hand."""

import sys
from datetime import timedelta
from typing import Final

from cyclopts import App

from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place, utc_now
from tokonomi.errors import NotFound, WrongUsage
from tokonomi.naming import meant
from tokonomi.reports.amounts import instant_text
from tokonomi.reports.breakers import breakers_table
from tokonomi.storage.breaker_store import close_breaker, every_breaker, open_breaker
from tokonomi.storage.config_store import in_force
from tokonomi.storage.database import Database

app = App(name="breakers", help="Show the circuit breakers of targets; open or close one by hand.")

_WITHIN: Final = "Running gateways know it within a second."


@app.command(name="list")
def list_breakers(*, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List how the breaker of each target stands, with the calls of its window.

    Args:
        place: which store.
        answer: how the answer is written.
    """
    now = utc_now()
    with place.opened() as database:
        rules = in_force(database).document.breaker
        found = every_breaker(database, rules, now=now)
    answer.print(breakers_table(found, now))


@app.command(name="open")
def open_by_hand(
    target: str, /, *, minutes: int | None = None, place: Place = DEFAULT_STORE
) -> None:
    """Keep calls away from a target. A breaker that is open for longer stays so.

    Args:
        target: provider and model of the configuration, as in `openai/gpt-5.1` or `openai/*`.
        minutes: for how long, until one call probes it; until you close it when left out.
        place: which store.
    """
    if minutes is not None and minutes < 1:
        raise WrongUsage(f"{minutes} minutes are no time", remedy="Write 1 or more.")
    lasting = None if minutes is None else timedelta(minutes=minutes)
    with place.opened() as database:
        _refuse_unknown(database, target)
        opened = open_breaker(database, target, now=utc_now(), lasting=lasting)
    until = instant_text(opened.new.until) or "you close it"
    sys.stdout.write(f"{target} is open until {until}. {_WITHIN}\n")


@app.command(name="close")
def close_by_hand(target: str, /, *, place: Place = DEFAULT_STORE) -> None:
    """Let calls go to a target again, with nothing counted against it.

    Args:
        target: provider and model, as `tokonomi breakers list` shows it.
        place: which store.
    """
    with place.opened() as database:
        close_breaker(database, target, now=utc_now())
    sys.stdout.write(f"{target} is closed: calls go there again. {_WITHIN}\n")


def _refuse_unknown(database: Database, target: str) -> None:
    """Returns when a target is configured: a misspelt one would keep no call away from anything."""
    known = sorted(in_force(database).document.breakers)
    if target in known:
        return
    remedy = meant(target, known) if known else "Apply a [models] section first."
    raise NotFound(f"no model has the target {target!r}", remedy=remedy)
