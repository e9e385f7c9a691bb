"""Which kind of file it is, and the one way to read them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol, get_args

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.errors import BadInput, WrongUsage
from tokonomi.ingest import azure, mooncake, own
from tokonomi.ingest.draft import Draft, Rejected, Target
from tokonomi.ingest.lines import Lines

Format = Literal["azure", "mooncake", "tokonomi"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
TRACES: Final[frozenset[Format]] = frozenset({"azure", "mooncake"})
"""Kinds of files that name no model."""

_PARQUET_ROWS: Final = 20_000
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Reader(Protocol):
    """A file being read, once, from the front."""

    @property
    def position(self) -> int:
        """Bytes read so far."""
        ...

    def __iter__(self) -> Iterator[Draft | Rejected]:
        """Its calls and its bad rows, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read.

    Attributes:
        target: what a trace's calls are taken to be; its dimensions fill our own rows' gaps.
        base_time: the instant at which a Mooncake trace began, in UTC.
        assume_prefix_cache: whether repeated prefixes of a Mooncake trace are cache reads.
    """

    format: Format
    target: Target
    base_time: datetime | None = None
    assume_prefix_cache: bool = False


def detected(path: Path) -> Format:
    """The kind of a file, by its first line.

    Raises:
        BadInput: the file cannot be read.
        WrongUsage: it is of no kind that we know.
    """
    if path.suffix == ".parquet":
        return "tokonomi"
    _, first = next(iter(Lines(path)), (0, b""))
    if first.removeprefix(b"\xef\xbb\xbf").strip() == azure.HEADER:
        return "azure"
    try:
        keys = _decode_object(first).keys()
    except msgspec.DecodeError:
        keys = frozenset(first.decode("utf-8", "replace").strip().split(","))
    if {"timestamp", "input_length", "output_length"} <= keys:
        return "mooncake"
    if keys & {"at", "at_us"}:
        return "tokonomi"
    raise WrongUsage(
        f"{path} is no kind of file that can be told by its first line",
        remedy=f"Name it with --format {', '.join(FORMATS)}, or see the manual's page on import.",
    )


def opened(path: Path, how: How) -> Reader:
    """The calls of a file.

    Raises:
        WrongUsage: a Mooncake trace without the instant at which it began.
        BadInput: the file cannot be read, or has columns that a call does not have.
    """
    if how.format == "tokonomi" and path.suffix == ".parquet":
        return _Parquet(path, how)
    if how.format == "mooncake" and how.base_time is None:
        raise WrongUsage(
            "the trace counts milliseconds from an unknown start",
            remedy="Say when it began: --base-time 2024-06-01T00:00:00Z.",
        )
    return _Text(path, how)


class _Text:
    def __init__(self, path: Path, how: How) -> None:
        self._lines = Lines(path)
        self._how = how
        self._is_csv = path.suffix == ".csv"

    @property
    def position(self) -> int:
        return self._lines.position

    def __iter__(self) -> Iterator[Draft | Rejected]:
        how = self._how
        match how.format:
            case "azure":
                return azure.read(self._lines, how.target)
            case "mooncake":
                assert how.base_time is not None, "`opened` asks for it"
                return mooncake.read(
                    self._lines,
                    how.target,
                    base_time=how.base_time,
                    assume_prefix_cache=how.assume_prefix_cache,
                )
            case "tokonomi":
                read = own.read_csv if self._is_csv else own.read_json_lines
                return read(self._lines, how.target.dimensions)


class _Parquet:
    def __init__(self, path: Path, how: How) -> None:
        self._path = path
        self._defaults = how.target.dimensions
        self._size = path.stat().st_size if path.exists() else 0
        self.position = 0

    def __iter__(self) -> Iterator[Draft | Rejected]:
        try:
            with pq.ParquetFile(self._path) as file:
                own.check_columns(file.schema_arrow.names)
                yield from own.read_rows(self._rows(file), self._defaults)
        except (OSError, pa.ArrowInvalid) as error:
            raise BadInput(f"{self._path} cannot be read: {error}") from error

    def _rows(self, file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
        read = 0
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):  # pyright: ignore[reportUnknownMemberType] - `columns` has no item type
            yield from batch.to_pylist()
            read += batch.num_rows
            self.position = self._size * read // max(file.metadata.num_rows, 1)
