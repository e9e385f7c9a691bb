"""Our own rows of past calls, as CSV, JSON lines or Parquet: `docs/reference/import.md`."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from tokonomi.calls import Dimensions, Status
from tokonomi.errors import BadInput, BadMoney, ImpossibleUsage
from tokonomi.ingest.azure import MOST_TOKENS
from tokonomi.ingest.draft import FIRST_ATTEMPT, Draft, Identity, Rejected, reason_of, rejected
from tokonomi.ingest.lines import Lines
from tokonomi.money import INT64_MAX, Money, currency_of
from tokonomi.naming import meant
from tokonomi.storage.call_rows import instant
from tokonomi.usage import COUNTS, STANDARD_TIER, Quarantined, Source, Usage

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]

_ATTEMPT: Final = re.compile(r".*\.[1-9]\d{0,8}")


class OwnRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row as it may be written: `at`, `provider`, `model` and a count are needed, nothing else.

    The columns after `note` are written by our exports. The cost is always made anew.
    """

    at: Any = None
    at_us: int | None = None
    provider: str
    model: str = ""
    model_served: str = ""
    model_asked: str = ""
    id: str = ""
    project: str = ""
    feature: str = ""
    user: str = ""
    end_user: str = ""
    session: str = ""
    key_id: str = ""
    alias: str = ""
    route: str = ""
    tags: Any = None
    tier: str = STANDARD_TIER
    batch: bool = False
    context_basis: Count | None = None
    uncached_input: Count | None = None
    cache_read: Count | None = None
    cache_read_audio: Count | None = None
    cache_write_5m: Count | None = None
    cache_write_1h: Count | None = None
    audio_in: Count | None = None
    image_in: Count | None = None
    output: Count | None = None
    reasoning: Count | None = None
    audio_out: Count | None = None
    image_out: Count | None = None
    searches: Count | None = None
    requests: Count | None = None
    source: Source = Source.REPORTED
    status: Status = Status.IMPORTED
    http_status: int = 0
    first_token_ms: Count | None = None
    duration_ms: Count = 0
    provider_request_id: str = ""
    note: str = ""
    reported_amount: Amount | None = None
    reported_currency: str | None = None
    exposure: Amount | None = None
    exposure_currency: str | None = None
    quarantined: str | None = None
    raw_usage: str | None = None
    unknown_keys: str = ""
    currency: str | None = None
    amount: Amount | None = None
    seq: int = 0
    request_id: str = ""
    attempt: int = 1
    price_row_id: str | None = None
    bracket_from: int | None = None
    lines: Any = None
    unpriced: str | None = None


KNOWN_COLUMNS: Final = frozenset(OwnRow.__struct_fields__)
_IDS: Final = Identity("tokonomi")
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
Fields = Mapping[str, Any]


def read_csv(lines: Lines, defaults: Dimensions) -> Iterator[Draft | Rejected]:
    """The calls of a CSV file with a heading; an empty cell is a cell that is not given.

    Raises:
        BadInput: the heading names a column that we do not know.
    """
    records = _csv_records(lines)
    heading = _heading(records)
    check_columns(heading)
    for number, raw, cells in records:
        if isinstance(cells, str):
            yield rejected(number, cells, raw)
        elif len(cells) != len(heading):
            yield rejected(number, f"{len(cells)} cells under {len(heading)} headings", raw)
        else:
            given = {name: cell for name, cell in zip(heading, cells, strict=True) if cell}
            yield _draft_or_reason(given, number, raw, defaults)


def read_json_lines(lines: Lines, defaults: Dimensions) -> Iterator[Draft | Rejected]:
    """The calls of a file with one JSON object a line."""
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            fields = _decode_object(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield rejected(number, reason_of(error), raw)
            continue
        yield _draft_or_reason(fields, number, raw, defaults)


def read_rows(
    rows: Iterable[Mapping[str, Any]], defaults: Dimensions
) -> Iterator[Draft | Rejected]:
    """The calls of rows that are values already, as Parquet gives them."""
    for number, row in enumerate(rows, 1):
        given = {name: value for name, value in row.items() if value is not None}
        raw = msgspec.json.encode(given, order="sorted")
        yield _draft_or_reason(given, number, raw, defaults)


def check_columns(names: Iterable[str]) -> None:
    """Nothing: every column is one that we know.

    Raises:
        BadInput: one is not; names the nearest.
    """
    for name in names:
        if name not in KNOWN_COLUMNS:
            raise BadInput(
                f'the file has a column "{name}" that a call does not have',
                remedy=meant(name, sorted(KNOWN_COLUMNS)),
            )


def _heading(records: Iterator[tuple[int, bytes, list[str] | str]]) -> list[str]:
    _, _, cells = next(records, (1, b"", "an empty file"))
    if isinstance(cells, str):
        raise BadInput(f"the file has no heading: {cells}", remedy="Its first line names columns.")
    return cells


def _csv_records(lines: Lines) -> Iterator[tuple[int, bytes, list[str] | str]]:
    """Number of the first line, bytes and cells of each record, or why it has no cells."""
    pending: list[bytes] = []
    first = 1

    def texts() -> Iterator[str]:
        nonlocal first
        for number, line in lines:
            if not pending:
                first = number
            pending.append(line)
            yield line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")

    reader = csv.reader(texts(), strict=True)
    while True:
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"not CSV: {error}"
        raw = b"".join(pending)
        pending.clear()
        if not isinstance(cells, str) and not raw.isascii() and not _is_text(raw):
            cells = "not UTF-8"
        if cells:
            yield first, raw, cells


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _draft_or_reason(
    given: Fields, line: int, raw: bytes, defaults: Dimensions
) -> Draft | Rejected:
    try:
        row = msgspec.convert(given, OwnRow, strict=False)
        return _draft(row, line, raw, defaults)
    except (ImpossibleUsage, BadMoney, ValueError, OverflowError) as error:
        return rejected(line, reason_of(error), raw)


def _draft(row: OwnRow, line: int, raw: bytes, defaults: Dimensions) -> Draft:
    model = row.model_served or row.model or row.model_asked
    if not model:
        raise ValueError("no model")
    at = _instant(row)
    stated = (row.amount, row.currency) if row.amount is not None and row.currency else None
    return Draft(
        id=_id(row, line, raw),
        at=at,
        usage=_usage(row, at),
        model=model,
        model_asked=row.model_asked or row.model or model,
        dimensions=_dimensions(row, defaults),
        status=row.status,
        http_status=row.http_status,
        first_token_ms=row.first_token_ms,
        duration_ms=row.duration_ms,
        provider_request_id=row.provider_request_id,
        note=row.note,
        exposure=_money(row.exposure, row.exposure_currency),
        stated=stated,
    )


def _id(row: OwnRow, line: int, raw: bytes) -> str:
    if not row.id:
        return _IDS.of(line, raw)
    return row.id if _ATTEMPT.fullmatch(row.id) else f"{row.id}{FIRST_ATTEMPT}"


def _instant(row: OwnRow) -> datetime:
    match row.at:
        case None if row.at_us is not None:
            return instant(row.at_us)
        case datetime():
            at = row.at
        case str():
            at = datetime.fromisoformat(row.at)
        case _:
            raise ValueError("no instant: give at, such as 2026-01-30T09:00:00Z")
    if at.tzinfo is None:
        raise ValueError(f"the instant {at.isoformat()} has no zone: add Z for UTC")
    return at.astimezone(UTC)


def _usage(row: OwnRow, at: datetime) -> Usage | Quarantined:
    if row.quarantined:
        return Quarantined(row.quarantined, row.raw_usage or "")
    counts = {name: getattr(row, name) for name in COUNTS if getattr(row, name) is not None}
    if not counts.keys() - {"requests"} and row.source is not Source.ABSENT:
        raise ValueError("no token counts: give uncached_input, output or another count")
    return Usage(
        at=at,
        **counts,
        tier=row.tier,
        batch=row.batch,
        context_basis=row.context_basis,
        reported_cost=_money(row.reported_amount, row.reported_currency),
        source=row.source,
        unknown_keys=tuple(filter(None, row.unknown_keys.split(","))),
    )


def _money(amount: int | None, currency: str | None) -> Money | None:
    if amount is None or currency is None:
        return None
    return Money(amount, currency_of(currency).code)


def _dimensions(row: OwnRow, defaults: Dimensions) -> Dimensions:
    return Dimensions(
        project=row.project or defaults.project,
        feature=row.feature or defaults.feature,
        user=row.end_user or row.user,
        session=row.session,
        key_id=row.key_id,
        alias=row.alias,
        provider=row.provider,
        route=row.route,
        tags=tuple(sorted(_tags(row.tags).items())) or defaults.tags,
    )


def _tags(given: object) -> dict[str, str]:
    match given:
        case None:
            return {}
        case str():
            return _decode_tags(given)
        case list():
            # Parquet gives a map as a list of pairs.
            return dict(msgspec.convert(given, list[tuple[str, str]]))
        case _:
            return msgspec.convert(given, dict[str, str])
