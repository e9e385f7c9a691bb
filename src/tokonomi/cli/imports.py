"""`tokonomi import`: past calls from a file, priced and written once."""

import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tokonomi.calls import Dimensions
from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.errors import NotFound, WrongUsage
from tokonomi.ingest.draft import Draft, Target
from tokonomi.ingest.formats import TRACES, Format, How, Reader, detected, opened
from tokonomi.ingest.importer import Outcome, Pricer, counting, inserting, run
from tokonomi.ingest.quarantine import QuarantineFile
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location
from tokonomi.storage.price_files import book_in_force

ROWS_QUARANTINED: Final = 1
CACHE_KIB: Final = 64 * 1024
"""Memory for the store's index of ids, so that a million rows need not read it from the disk."""

_SHOWN_MODELS: Final = 5


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How the file is read and priced.

    Attributes:
        model: what a trace's calls are priced as, such as gpt-4o or openai/gpt-4o.
        provider: who is taken to have billed them.
        format: what the file is; told by its first line when not given.
        project: the project of calls that name none.
        feature: the feature of calls that name none.
        base_time: when a Mooncake trace began, such as 2024-06-01T00:00:00Z.
        assume_prefix_cache: count repeated prefixes of a Mooncake trace as cache reads (estimated).
        priced_at: price all calls as of this date instead of each at its own instant.
        allow_unpriced: import calls of models that no price source knows, without a cost.
        quarantine: where bad rows go; FILE.quarantine.jsonl when not given.
        dry_run: count and price everything, and write nothing.
    """

    model: Annotated[str, Parameter(name="--as")] = ""
    provider: str = ""
    format: Format | None = None
    project: str = ""
    feature: str = ""
    base_time: datetime | None = None
    assume_prefix_cache: Annotated[bool, Parameter(negative=())] = False
    priced_at: datetime | None = None
    allow_unpriced: Annotated[bool, Parameter(negative=())] = False
    quarantine: Path | None = None
    dry_run: Annotated[bool, Parameter(negative=())] = False


DEFAULTS: Final = ImportOptions()


def import_file(
    file: Path,
    *,
    options: ImportOptions = DEFAULTS,
    place: Place = DEFAULT_STORE,
) -> int:
    """Read past calls from a file, price them, and write them to the store.

    The same file twice adds nothing; a longer version of it adds its new rows. Exits with 1 when
    rows could not be imported: they stand in the quarantine file with their numbers and reasons.

    Args:
        file: a trace (Azure CSV, Mooncake JSON lines) or our own rows (CSV, JSON lines, Parquet).
        options: how it is read and priced.
        place: which store.
    """
    if file.is_dir():
        raise WrongUsage(f"{file} is a folder", remedy="Name one of the files in it.")
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    location = place.location
    book = book_in_force(location)
    how = _how(file, options, book)
    if not options.allow_unpriced:
        _check_models(file, how, book)
    pricer = Pricer(book, priced_at=_utc(options.priced_at))
    reader = opened(file, how)
    bad_rows = options.quarantine or file.with_name(f"{file.name}.quarantine.jsonl")
    with _progress(file, reader) as on_chunk:
        if options.dry_run:
            outcome = _dry_run(location, reader, pricer, on_chunk)
        else:
            with (
                closing(open_store(location.address)) as connection,
                QuarantineFile(bad_rows) as bad,
            ):
                if connection.dialect == "sqlite":
                    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
                insert = inserting(connection)
                outcome = run(reader, pricer, insert, quarantine=bad, on_chunk=on_chunk)
    _say(outcome, bad_rows, dry=options.dry_run)
    return ROWS_QUARANTINED if outcome.quarantined else 0


def _how(file: Path, options: ImportOptions, book: PriceBook) -> How:
    kind = options.format or detected(file)
    who = Dimensions(project=options.project, feature=options.feature)
    if kind not in TRACES:
        if options.model or options.provider:
            raise WrongUsage(
                "the rows of this file name their own models",
                remedy="Leave --as and --provider out, or say --format.",
            )
        return How(kind, Target("", "", "", who))
    if not options.model:
        raise WrongUsage(
            f"a trace of kind {kind} names no model",
            remedy="Say what to price it as, such as --as gpt-4o.",
        )
    return How(
        kind,
        _target(options, who, book),
        base_time=_utc(options.base_time),
        assume_prefix_cache=options.assume_prefix_cache,
    )


def _target(options: ImportOptions, who: Dimensions, book: PriceBook) -> Target:
    entry = book.find(options.provider, options.model)
    provider = entry.provider if entry else options.provider
    model = entry.model if entry else options.model
    dimensions = Dimensions(
        project=who.project, feature=who.feature, alias=options.model, provider=provider
    )
    return Target(provider, model, options.model, dimensions)


def _check_models(file: Path, how: How, book: PriceBook) -> None:
    """Nothing: every model of the file is known, so that nothing is written before an error."""
    target = how.target
    one = target.provider, target.model, target.model
    models = {one} if how.format in TRACES else _models(file, how)
    unknown = sorted(
        f"{provider}/{model}" if provider else model
        for provider, model, asked in models
        if not _known(book, provider, model) and not _known(book, provider, asked)
    )
    if not unknown:
        return
    more = f" and {len(unknown) - _SHOWN_MODELS} more" if len(unknown) > _SHOWN_MODELS else ""
    raise NotFound(
        f"no price is known for {', '.join(unknown[:_SHOWN_MODELS])}{more}; nothing was written",
        remedy="See `tokonomi prices find`, or import without a cost: --allow-unpriced.",
    )


def _known(book: PriceBook, provider: str, model: str) -> bool:
    entry = book.find(provider, model)
    return entry is not None and bool(entry.rows)


def _models(file: Path, how: How) -> set[tuple[str, str, str]]:
    """Provider, model that answered and model that was asked for, of all calls of the file."""
    drafts = (each for each in opened(file, how) if isinstance(each, Draft))
    return {(draft.dimensions.provider, draft.model, draft.model_asked) for draft in drafts}


def _dry_run(
    location: Location, reader: Reader, pricer: Pricer, on_chunk: Callable[[Outcome], None]
) -> Outcome:
    if not location.begun:
        return run(reader, pricer, counting(None), on_chunk=on_chunk)
    with closing(open_store(location.address)) as connection:
        return run(reader, pricer, counting(connection), on_chunk=on_chunk)


def _utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@contextmanager
def _progress(file: Path, reader: Reader) -> Generator[Callable[[Outcome], None]]:
    """Told of each chunk, it moves a bar, on a terminal only."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[calls]:,} calls"),
    )
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as progress:
        task = progress.add_task(file.name, total=file.stat().st_size, calls=0)

        def on_chunk(outcome: Outcome) -> None:
            calls = outcome.imported + outcome.present
            progress.update(task, completed=reader.position, calls=calls)

        yield on_chunk


def _say(outcome: Outcome, bad_rows: Path, *, dry: bool) -> None:
    done = "would import" if dry else "imported"
    parts = [f"{done} {outcome.imported:,}", f"already present {outcome.present:,}"]
    where = "" if dry or not outcome.quarantined else f": see {bad_rows}"
    parts.append(f"quarantined {outcome.quarantined:,}{where}")
    lines = [", ".join(parts)]
    costs = [Money(units, code) for code, units in sorted(outcome.costs.items())]
    if costs:
        lines.append(f"The file's calls cost {' and '.join(cost.format() for cost in costs)}.")
    if outcome.unpriced:
        lines.append(f"Without a price, and not in the cost: {outcome.unpriced:,} of the calls.")
    if outcome.differing:
        lines.append(f"Cost another amount than the file states: {outcome.differing:,} calls.")
    sys.stdout.write("\n".join(lines) + "\n")
