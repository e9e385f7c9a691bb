"""`tokonomi plan sensitivity` and `required`: what moves a month, and how far it may."""

from pathlib import Path
from typing import Final

from tokonomi.cli.plan import AS_TABLE, FROM_A_FILE, Output, Source, write_sections
from tokonomi.errors import WrongUsage
from tokonomi.money import parse_amount
from tokonomi.plan.required import Measure
from tokonomi.plan.simulate import SEED
from tokonomi.plans import has_variance

EXTRA: Final = "Install it: pip install 'tokonomi[sensitivity]'."


def sensitivity(
    file: Path | None = None,
    /,
    *,
    seed: int = SEED,
    source: Source = FROM_A_FILE,
    output: Output = AS_TABLE,
) -> None:
    """Say what moves the cost: one number at a time, exactly, and by shares of the variance.

    Args:
        file: a scenario.
        seed: the same seed gives the same figures.
        source: which scenario, and what is changed in it.
        output: how the answer is written.
    """
    if not has_variance():
        raise WrongUsage("shares of the variance need the extra sensitivity", remedy=EXTRA)
    write_sections(source.plan(file).sensitivity(seed=seed), output)


def required_value(
    path: str,
    target: str,
    file: Path | None = None,
    /,
    *,
    measure: Measure = "cost",
    source: Source = FROM_A_FILE,
    output: Output = AS_TABLE,
) -> None:
    """Find the value of one number at which a month costs, or leaves, an amount.

    Args:
        path: the number, such as volume.users.
        target: the amount, such as $500.
        file: a scenario.
        measure: cost, or profit.
        source: which scenario, and what is changed in it.
        output: how the answer is written.
    """
    plan = source.plan(file)
    amount = parse_amount(target, output.locale, currency=plan.scenario.plan.currency)
    write_sections(plan.required(path, amount, measure=measure), output)
