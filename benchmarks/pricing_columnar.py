"""Prices generated rows with dated prices, four meters and context tiers in DuckDB, exactly.

    python benchmarks/pricing_columnar.py [--rows 10_000_000]

The rows are generated in DuckDB into a file, then priced by the columnar twin of `charge`. Before a
figure is printed the total is compared with Python integers, and a sample of rows with `charge`.
"""

import argparse
import platform
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import ibis

from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.cells import PriceKey, price_cells
from tokonomi.pricing.charge import Charge, charge
from tokonomi.pricing.columnar import charged
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.pricing.price_file import read_price_file
from tokonomi.pricing.row import Meter
from tokonomi.usage import Usage

MODELS: Final = 200
SAMPLE: Final = 2_000
THREADS: Final = 2
COUNTS: Final = ("uncached_input", "cache_read", "cache_write_5m", "output")
METERS: Final = (Meter.INPUT, Meter.CACHE_READ, Meter.CACHE_WRITE_5M, Meter.OUTPUT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    book = synthetic_book()
    with tempfile.TemporaryDirectory(prefix="tokonomi-bench-") as folder:
        backend = ibis.duckdb.connect(
            str(Path(folder) / "usage.duckdb"),
            memory_limit="4GB",
            threads=THREADS,
            temp_directory=folder,
            preserve_insertion_order=False,
        )
        backend.raw_sql(rows_sql(asked.rows))
        usage = backend.table("usage")
        keys = [PriceKey("synthetic", f"model-{n}") for n in range(MODELS)]
        cells = price_cells(book, keys)
        priced = charged(usage, cells)
        total = priced.amount.cast("decimal(38,0)").sum().cast("decimal(38,0)")
        check_sample(book, priced)
        exact = total_in_python(backend, book)
        runs = [timed(total, exact) for _ in range(asked.runs)]
    wall, work = min(took for took, _ in runs), min(used for _, used in runs)
    print(f"machine          {cpu()}, {platform.python_version()}, {THREADS} threads")
    print(f"rows             {asked.rows:,} ({MODELS} models, {cells.num_rows} cells)")
    print(f"total            {exact / 10**12:,.12f} USD, equal to Python integers")
    print(f"pricing and sum  {wall:.2f} s best of {asked.runs} (target 1.0 s for 10 million)")
    print(f"processor time   {work:.2f} s, or {work / THREADS:.2f} s on {THREADS} free cores")
    print(f"rows per second  {asked.rows / wall:,.0f}")
    print(f"peak memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def synthetic_book() -> PriceBook:
    """A book of models that each have three dated prices with a context tier."""
    dates = ("2025-01-01", "2025-05-01", "2025-09-01", "2026-01-01")
    parts = ['about = "made up"']
    for model in range(MODELS):
        parts.append(f'[[model]]\nprovider = "synthetic"\nid = "model-{model}"\nsource = "made up"')
        for step in range(3):
            base = 100 + 7 * model + step
            rates = {
                "input": f"0.{base}",
                "cache_read": f"0.0{base}",
                "cache_write_5m": f"0.{base}5",
                "output": f"{step}.{base}",
            }
            dear = {meter: text.replace("0.", "1.", 1) for meter, text in rates.items()}
            parts.append(
                f"[[model.price]]\nsource = 'made up'\nfrom = {dates[step]}\nto = {dates[step + 1]}"
                f"\nrates = {table(rates)}\n[[model.price.above]]\nthreshold = 200_000\n"
                f"comparator = '>'\nrates = {table(dear)}"
            )
    file = read_price_file("\n".join(parts), "synthetic.toml")
    return PriceBook(Catalogue([], "none"), compile_overlay({"synthetic": file}))


def table(rates: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{meter} = '{text}'" for meter, text in rates.items()) + " }"


def rows_sql(rows: int) -> str:
    """One year of calls; hashes of the row number stand in for random numbers."""
    return f"""
    CREATE TABLE usage AS SELECT
      'synthetic' AS provider,
      'model-' || (hash(i) % {MODELS}) AS model,
      make_timestamp(1735689600000000 + (hash(i + 1) % (365 * 86400))::BIGINT * 1000000) AS at,
      (hash(i + 2) % 250000)::BIGINT AS uncached_input,
      (hash(i + 3) % 20000)::BIGINT AS cache_read,
      (hash(i + 4) % 5000)::BIGINT AS cache_write_5m,
      (hash(i + 5) % 4000)::BIGINT AS output
    FROM range({rows}) t(i)
    """


def check_sample(book: PriceBook, priced: Any) -> None:
    """Stops when `charge` and the expression differ on one of the first rows."""
    for row in priced.limit(SAMPLE).to_pyarrow().to_pylist():
        at = row["at"].replace(tzinfo=UTC)
        price = book.row_at("synthetic", row["model"], at)
        cost = charge(Usage(at=at, **{name: row[name] for name in COUNTS}), price)
        if not isinstance(cost, Charge) or cost.sub_units != row["amount"]:
            raise SystemExit(f"charge says {cost}, the expression {row['amount']}")


def total_in_python(backend: Any, book: PriceBook) -> int:
    """The same total from token sums per model, price and tier, multiplied in Python."""
    sums = backend.raw_sql(
        f"""SELECT model, CASE WHEN "at" < '2025-05-01' THEN 1 WHEN "at" < '2025-09-01' THEN 5
        ELSE 9 END, uncached_input + cache_read + cache_write_5m > 200000,
        {", ".join(f"sum({name})" for name in COUNTS)} FROM usage GROUP BY ALL"""
    ).fetchall()
    total = 0
    for model, month, dear, *tokens in sums:
        row = book.row_at("synthetic", model, datetime(2025, month, 15, tzinfo=UTC))
        rates = row.context_tiers[0].rates if dear else row.rates
        total += sum(
            int(count) * rates[meter].sub_units for meter, count in zip(METERS, tokens, strict=True)
        )
    return total


def timed(total: Any, exact: int) -> tuple[float, float]:
    """Seconds by the clock, and seconds of processors."""
    start, before = time.perf_counter(), time.process_time()
    result = int(total.to_pyarrow().as_py())
    took, used = time.perf_counter() - start, time.process_time() - before
    if result != exact:
        raise SystemExit(f"the expression's total is {result}, Python's {exact}")
    return took, used


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} x {len(names) or 1}"


if __name__ == "__main__":
    main()
