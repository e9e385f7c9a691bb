"""Imports a million rows: seconds, memory, and exact totals against fractions.

Run: `python benchmarks/import_rows.py [ROWS]`. The file has the form of the Azure trace, an hour
after the other, with token counts from a seeded generator. The budget is 60 s and 1 GiB; time
is judged by the processor's clock, since other work on the machine lengthens the wall's.
"""

import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from tokonomi.reports.query import Query
from tokonomi.reports.spend import spend
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.location import Location

ROWS = 1_000_000
SECONDS, MEBIBYTES = 60, 1024
PRICES = Fraction("2.50") / 10**6, Fraction(10) / 10**6
START = datetime(2023, 11, 16)  # noqa: DTZ001 - the trace has no zone


def write_trace(path: Path, rows: int) -> Fraction:
    """The exact cost of the generated trace at the prices of gpt-4o."""
    draw = random.Random(20261122)
    given = made = 0
    with path.open("w") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for number in range(rows):
            context, generated = draw.randint(1, 8_000), draw.randint(1, 1_000)
            given, made = given + context, made + generated
            at = START + timedelta(milliseconds=400 * number)
            file.write(f"{at:%Y-%m-%d %H:%M:%S.%f}0,{context},{generated}\n")
    return given * PRICES[0] + made * PRICES[1]


def timed_import(trace: Path, folder: Path) -> tuple[float, float]:
    """Seconds on the clock, and seconds of processor time."""
    command = [sys.executable, "-m", "tokonomi", "import", str(trace)]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--as", "gpt-4o", "--data", str(folder)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, busy


def total(location: Location) -> tuple[int, Fraction, float]:
    started = time.perf_counter()
    statement = spend(location, Query())
    names = [column.name for column in statement.columns]
    cost = statement.totals[names.index("cost_usd")]
    assert isinstance(cost, Fraction)
    return statement.calls, cost, time.perf_counter() - started


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        expected = write_trace(folder / "trace.csv", rows)
        first, busy = timed_import(folder / "trace.csv", folder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        again, _ = timed_import(folder / "trace.csv", folder)
        location = Location(folder / "tokonomi.db")
        from_tail = total(location)
        started = time.perf_counter()
        with closing(open_store(location.store)) as connection:
            export(connection, location.lake)
        exported = time.perf_counter() - started
        from_lake = total(location)
        stored = location.store.stat().st_size / rows
    assert from_tail[:2] == from_lake[:2] == (rows, expected), "the totals differ"
    print(
        f"import {rows:,} rows   {first:7.1f} s   {1e6 * first / rows:6.1f} us a row   {peak} MiB"
    )
    print(f"  of it busy          {busy:7.1f} s     {1e6 * busy / rows:6.1f} us a row")
    print(f"import them again     {again:7.1f} s   {1e6 * again / rows:6.1f} us a row")
    print(f"export to the lake    {exported:7.1f} s   {1e6 * exported / rows:6.1f} us a row")
    print(f"total from the store  {from_tail[2]:7.1f} s   from the lake {from_lake[2]:.2f} s")
    print(f"store                 {stored:7.0f} bytes a row; total ${float(expected):,.2f}, exact")
    assert rows < ROWS or (busy < SECONDS and peak < MEBIBYTES), "over the budget"


if __name__ == "__main__":
    main()
