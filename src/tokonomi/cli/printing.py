"""Where a command's answer goes: standard output, or a file, whole or not at all."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cyclopts import Parameter

from tokonomi.errors import WrongUsage
from tokonomi.reports.forms import Form
from tokonomi.reports.tables import Table, tabulated
from tokonomi.storage.whole_file import write_file


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How a list is written.

    Attributes:
        format: the form.
        output: a file to write to instead of the terminal.
    """

    format: Form = "table"
    output: Path | None = None


AS_TABLE: Final = Listing()


def print_table(table: Table, listing: Listing) -> None:
    """Nothing: the table is on standard output or in the file.

    Raises:
        WrongUsage: Parquet was asked for on a terminal.
        BadInput: the file cannot be written.
    """
    on_terminal = listing.output is None and sys.stdout.isatty()
    if listing.format == "parquet" and on_terminal:
        raise WrongUsage("Parquet is not for a terminal", remedy="Name a file with --output.")
    width = shutil.get_terminal_size().columns if on_terminal else None
    content = tabulated(table, listing.format, width=width)
    if listing.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    write_file(listing.output, content)
