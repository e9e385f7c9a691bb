"""`tokonomi fallback`: how often fallbacks serve, what that costs, and what was told of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cyclopts import App, Parameter

from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place, print_events
from tokonomi.reports.fallback import FallbackView, Stretch, fallback_rows, fallback_table
from tokonomi.reports.period import reaching_back
from tokonomi.storage.config_store import in_force
from tokonomi.storage.price_files import book_in_force, load_book
from tokonomi.storage.rate_store import every_rate
from tokonomi.storage.watch_files import load_watch_rules

app = App(name="fallback", help="Show how often fallbacks serve, what it costs, what to do.")


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the calls are judged by.

    Attributes:
        rules: a file of thresholds and actions, in place of those in the store.
        contract: a file of your own prices, in place of those in the store.
    """

    rules: Path | None = None
    contract: Path | None = None


AS_BUNDLED: Final = Judged()


@app.command(name="report")
def report_fallback(
    *,
    by: Stretch = "hour",
    last: str = "24h",
    judged: Judged = AS_BUNDLED,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Show by alias and hour how many calls a fallback served, and what that cost extra.

    Args:
        by: hour, or day; a day is judged by its cost as well.
        last: how far back: 24h, 7d (today and six days before), 4w.
        judged: what the calls are judged by.
        place: which store.
        answer: how the answer is written.
    """
    period = reaching_back(last, now=datetime.now(UTC))
    with place.opened() as database:
        rates = every_rate(database)
        stated = in_force(database).document.fallback_watch
    rules = load_watch_rules(stated if judged.rules is None else judged.rules)
    own = judged.contract
    book = book_in_force(place.location) if own is None else load_book(own)
    rows = fallback_rows(place.location, book, by=by, period=period)
    answer.print(fallback_table(rows, FallbackView(rules, rates, answer.words, by)))


@app.command(name="events")
def list_events(*, last: int = 50, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List what was told of aliases: shares and costs of fallback above a threshold.

    Args:
        last: how many, the newest first.
        place: which store.
        answer: how the answer is written.
    """
    print_events("alias", last=last, place=place, answer=answer)
