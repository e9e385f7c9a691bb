"""A process that imports a trace and dies, as by `kill -9`, after its first chunk is written.

Arguments: the trace, the folder of the store. It exits with 9.
"""

import os
import sys
from pathlib import Path

from tokonomi.calls import Dimensions
from tokonomi.ingest import azure
from tokonomi.ingest.draft import Target
from tokonomi.ingest.importer import Outcome, Pricer, inserting, run
from tokonomi.ingest.lines import Lines
from tokonomi.ingest.quarantine import QuarantineFile
from tokonomi.storage.engine import open_store
from tokonomi.storage.price_files import load_book


def die(_: Outcome) -> None:
    """Ends the process without any clean-up."""
    os._exit(9)


def main(trace: Path, folder: Path) -> None:
    """Never returns: the process dies."""
    dimensions = Dimensions(alias="gpt-4o", provider="openai")
    rows = azure.read(Lines(trace), Target("openai", "gpt-4o", "gpt-4o", dimensions))
    insert = inserting(open_store(folder / "tokonomi.db"))
    with QuarantineFile(trace.with_name(f"{trace.name}.quarantine.jsonl")) as bad:
        run(rows, Pricer(load_book()), insert, quarantine=bad, on_chunk=die)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
