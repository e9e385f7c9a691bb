"""A forecast from a sample as statements, and the scenario that it makes."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Final

from tokonomi.plan.predict import (
    DECIMALS,
    SURENESS,
    BackTest,
    MeanCounts,
    Sample,
    Volume,
    mean_counts,
    spread_of_mean,
)
from tokonomi.plan.simulate import SEED
from tokonomi.reports.plan_month import exactly
from tokonomi.reports.statement import Column, Kind, Note, Row, Statement, exact_decimal

FEATURE: Final = "measured"
ENDS: Final = (("a", "input"), ("b", "output"))


def forecast(
    sample: Sample, volume: Volume, engineering: Sequence[Fraction], *, seed: int
) -> Statement:
    """What a month costs by the sample: tokens, buffer, engineering time, and how far off.

    `engineering` is what it costs at least, as expected, and at most.
    """
    currency, spread = sample.currency, spread_of_mean(sample, seed=seed)
    means = (spread.low, sample.mean, spread.high)
    tokens = [volume.calls * each for each in means]
    buffers = [each * volume.buffer for each in tokens]
    ends = zip(tokens, buffers, engineering, strict=True)
    parts: dict[str, Sequence[Fraction]] = {
        "a call": means,
        "tokens of a month": tokens,
        "buffer": buffers,
        "engineering": engineering,
        "month": [sum(each, Fraction()) for each in ends],
    }
    rows: list[Row] = [
        (name, *(exactly(each, currency) for each in amounts)) for name, amounts in parts.items()
    ]
    notes = (
        Note("sample", {"calls_of_sample": len(sample), "sure": str(SURENESS), "seed": str(seed)}),
        Note("sample_is_not_the_future"),
    )
    return Statement(
        title="forecast from a sample",
        period=None,
        columns=(
            Column("what", "what", Kind.WORD),
            Column("low", "at least", Kind.MONEY, currency),
            Column("cost", "expected", Kind.MONEY, currency),
            Column("high", "at most", Kind.MONEY, currency),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("what",),
        notes=notes,
    )


def back_tests(found: Sequence[BackTest], currency: str) -> Statement:
    """Forecasts from the first calls of a trace, held to what the rest of it cost."""
    rows: list[Row] = [
        (
            Fraction(each.first),
            Fraction(each.others),
            exactly(each.predicted, currency),
            exactly(each.spread.low, currency),
            exactly(each.spread.high, currency),
            exactly(each.actual, currency),
            each.error,
            "inside" if each.held else "outside",
        )
        for each in found
    ]
    money = Kind.MONEY
    return Statement(
        title="back-test",
        period=None,
        columns=(
            Column("first", "first calls", Kind.NUMBER),
            Column("others", "the others", Kind.NUMBER),
            Column("predicted", "predicted", money, currency),
            Column("low", "at least", money, currency),
            Column("high", "at most", money, currency),
            Column("actual", "they cost", money, currency),
            Column("error", "off by", Kind.SHARE, signed=True),
            Column("held", "within", Kind.WORD),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("first",),
    )


def scenario_text(sample: Sample, volume: Volume, model: str, *, at: date, seed: int = SEED) -> str:
    """A scenario with the mean tokens of a call as distributions: month and bands the forecast's.

    A month is drawn by one value of each number, so these are means of many calls, and no single
    calls. The mean month is the forecast's to the last digit where the model's price has one
    context tier and nothing is cached.
    """
    counts = mean_counts(sample, seed=seed)
    return (
        f'[plan]\nname = "From a sample"\nat = {at.isoformat()}\ncurrency = "{sample.currency}"\n'
        f'buffer = "{volume.buffer}"\n\n'
        f'[volume]\ncalls_per_day = "{volume.calls_per_day}"\ndays_per_month = {volume.days}\n\n'
        f'[[feature]]\nname = "{FEATURE}"\nhistory = "none"\nmodels = [{{ model = "{model}" }}]\n'
        "# What the mean tokens of a call may be, by the sample: a month is drawn by one of them.\n"
        f"input_tokens = {_quantity(counts.inputs)}\n"
        f"output_tokens = {_quantity(counts.outputs)}\n"
        f"{_correlation(counts)}"
    )


def _quantity(values: Sequence[Fraction]) -> str:
    """One value, or several of which each is as likely as the others, as a scenario states them."""
    written = [_written(each) for each in values]
    return written[0] if len(written) == 1 else f"{{ values = [{', '.join(written)}] }}"


def _correlation(counts: MeanCounts) -> str:
    if not counts.rank:
        return ""
    paths = (f'{end} = "feature.{FEATURE}.{side}_tokens"\n' for end, side in ENDS)
    return f"\n[[correlation]]\n{''.join(paths)}rank = {_written(counts.rank)}\n"


def _written(value: Fraction) -> str:
    """The exact value: as a decimal number where it is one of few digits, else as a fraction."""
    if 10**DECIMALS % value.denominator:
        return f'"{value}"'
    return f'"{exact_decimal(value)}"'
