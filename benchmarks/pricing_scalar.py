"""Times one price lookup and one charge beside genai-prices and litellm, after comparing results.

    python benchmarks/pricing_scalar.py

litellm is never installed beside us. Name an interpreter that has it in TOKONOMI_LITELLM_PYTHON,
and it is measured in a process of its own.
"""

import os
import platform
import subprocess
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

import genai_prices

from tokonomi.pricing.charge import Charge, charge
from tokonomi.pricing.row import PriceRow
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage

AT: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)
TARGET_US: Final = 3.0
ROUNDS: Final = 300

CALLS: Final = {
    "2 meters": ("openai", "gpt-5.1", {"uncached_input": 1_200, "output": 300}),
    "3 meters": (
        "openai",
        "gpt-5.1",
        {"uncached_input": 1_200, "cache_read": 1_024, "output": 300},
    ),
    "3 meters, context tier": (
        "google",
        "gemini-2.5-pro",
        {"uncached_input": 190_000, "cache_read": 20_000, "output": 900},
    ),
}

LITELLM: Final = """
import timeit
from litellm import cost_per_token
def one():
    return cost_per_token(model={model!r}, prompt_tokens={prompt}, completion_tokens={output},
                          cache_read_input_tokens={cached})
print(sum(one()))
print(min(timeit.repeat(one, number=500, repeat=5)) / 500 * 1e6)
"""


def main() -> None:
    book = load_book()
    print(f"machine: {cpu()}, Python {platform.python_version()}")
    print(f"{'call':<26}{'':<28}{'us':>9}  times ours")
    for name, (provider, model, counts) in CALLS.items():
        usage = Usage(at=AT, **counts)
        row = book.row_at(provider, model, AT)
        assert isinstance(row, PriceRow), row
        ours = charge(usage, row)
        assert isinstance(ours, Charge), ours
        theirs = genai_price(provider, model, counts)
        if Fraction(theirs()) != ours.total.fraction():
            raise SystemExit(f"{name}: we say {ours.total}, genai-prices {theirs()} USD")
        base = microseconds(lambda u=usage, r=row: charge(u, r))
        lookup = microseconds(lambda p=provider, m=model: book.row_at(p, m, AT))
        note = "" if base <= TARGET_US else f"  over the target of {TARGET_US} us"
        line(name, "charge(usage, row)", base, base, note)
        line("", "row_at(), warm", lookup, base)
        line("", "genai-prices calc_price", microseconds(theirs, number=10), base)
        litellm(model, counts, ours, base)


def line(name: str, what: str, took: float, base: float, note: str = "") -> None:
    print(f"{name:<26}{what:<28}{took:>9.2f}  {took / base:>9.1f}{note}")


def genai_price(provider: str, model: str, counts: dict[str, int]) -> Callable[[], Decimal]:
    total = counts["uncached_input"] + counts.get("cache_read", 0)
    usage = genai_prices.Usage(
        input_tokens=total,
        cache_read_tokens=counts.get("cache_read"),
        output_tokens=counts["output"],
    )
    return lambda: (
        genai_prices.calc_price(
            usage, model, provider_id=provider, genai_request_timestamp=AT
        ).total_price
    )


def litellm(model: str, counts: dict[str, int], ours: Charge, base: float) -> None:
    """Prints litellm's time, or why there is none."""
    interpreter = os.environ.get("TOKONOMI_LITELLM_PYTHON")
    if not interpreter:
        print(f"{'':<26}{'litellm cost_per_token':<28}{'not installed':>9}")
        return
    cached = counts.get("cache_read", 0)
    program = LITELLM.format(
        model=model if model.startswith("gpt") else f"gemini/{model}",
        prompt=counts["uncached_input"] + cached,
        output=counts["output"],
        cached=cached,
    )
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=True)
    result, took = done.stdout.split()[-2:]
    line("", "litellm cost_per_token", float(took), base)
    exact = ours.total.fraction()
    if abs(Fraction(result) - exact) > exact / 10**9:
        print(f"{'':<26}litellm says {result} USD, we {ours.total}")


def microseconds(run: Callable[[], object], number: int = 500) -> float:
    """The fastest of many short rounds, which a busy machine disturbs least."""
    return min(timeit.repeat(run, number=number, repeat=ROUNDS)) / number * 1e6


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [each.partition(": ")[2] for each in lines if each.startswith("model name")]
    return f"{names[0] if names else platform.processor()} x {len(names) or 1}"


if __name__ == "__main__":
    main()
