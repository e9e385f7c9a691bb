"""`tokonomi plan predict`: a month from a sample of calls, and how wrong that may be."""

import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from tokonomi.calls import Dimensions
from tokonomi.cli.plan import Output, write_sections
from tokonomi.cli.report import write_bytes
from tokonomi.errors import BadPlan, NotFound, WrongUsage
from tokonomi.ingest.draft import Draft, Target
from tokonomi.ingest.formats import TRACES, How, detected, opened
from tokonomi.plan.measure import Counted
from tokonomi.plan.predict import FEWEST, Volume, sampled
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.quantity import Natural, Quantity, Share
from tokonomi.plan.simulate import SEED
from tokonomi.plans import chosen
from tokonomi.plans import predict as predicted
from tokonomi.reports.plan_predict import scenario_text
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which calls the forecast is made of, and what they are priced as.

    Attributes:
        model: what a trace's calls are priced as, such as openai/gpt-4o.
        sample: how many of the first calls the forecast is made of; the others test it.
        spread: take as many from all of the file's time instead of the first ones.
        at: the date of the prices; today when not given.
        assume_prefix_cache: count repeated prefixes of a Mooncake trace as cache reads.
        contract: a file with your own prices.
    """

    model: Annotated[str, Parameter(name="--as")] = ""
    sample: Annotated[int, Parameter(validator=validators.Number(gte=FEWEST))] = 1_000
    spread: Annotated[bool, Parameter(negative=())] = False
    at: date | None = None
    assume_prefix_cache: Annotated[bool, Parameter(negative=())] = False
    contract: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What the month consists of.

    Attributes:
        days: of it.
        buffer: added for growth of contexts, retries and edge cases.
        hours: of engineering, such as 10..20.
        wage: of an hour.
    """

    days: int = 30
    buffer: str = "30%"
    hours: str = "0"
    wage: str = "0"


FIRST_THOUSAND: Final = Sampling()
THIRTY_DAYS: Final = Month()
KINDS: Final = "Give a trace (Azure CSV, Mooncake JSON lines) or rows of `tokonomi export`."
AS_TABLE: Final = Output()


def predict(
    file: Path,
    /,
    *,
    calls_per_day: str,
    scenario: Path | None = None,
    seed: int = SEED,
    sampling: Sampling = FIRST_THOUSAND,
    month: Month = THIRTY_DAYS,
    output: Output = AS_TABLE,
) -> None:
    """Forecast a month from recorded calls, and hold the forecast to the calls that follow.

    Args:
        file: calls: a trace (Azure CSV, Mooncake JSON lines) or our own rows (`tokonomi export`).
        calls_per_day: expected.
        scenario: a file to write the forecast to, as a scenario whose bands are its own.
        seed: the same seed gives the same figures.
        sampling: which calls, and what they are priced as.
        month: what the month consists of.
        output: how the answer is written.
    """
    buffer = _number(month.buffer, Share).mean
    volume = Volume(_number(calls_per_day, Natural).mean, month.days, buffer)
    engineering = _engineering(month)
    at = sampling.at or datetime.now(UTC).date()
    prices = PriceList(
        load_book(sampling.contract), datetime(at.year, at.month, at.day, tzinfo=UTC)
    )
    calls = read_calls(file, sampling)
    made = sampled(calls, prices)
    sections = predicted(
        made,
        volume,
        first=sampling.sample,
        spread=sampling.spread,
        engineering=engineering,
        seed=seed,
    )
    if scenario is not None:
        used = chosen(made, sampling.sample, spread=sampling.spread).part(0, sampling.sample)
        text = scenario_text(used, volume, _one_model(calls), at=at, seed=seed)
        write_bytes(text.encode(), scenario)
    write_sections(sections, output)


def read_calls(file: Path, sampling: Sampling) -> list[Counted]:
    """The calls of a file; what is none of them is counted and said.

    Raises:
        NotFound: there is no such file.
        WrongUsage: a trace, and no model to price it as.
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    try:
        kind = detected(file)
    except WrongUsage as wrong:
        raise WrongUsage(wrong.what, remedy=KINDS) from None
    if kind in TRACES and not sampling.model:
        raise WrongUsage(
            f"a trace of kind {kind} names no model",
            remedy="Say what to price it as, such as --as openai/gpt-4o.",
        )
    target = Target("", sampling.model, sampling.model, Dimensions())
    how = How(
        kind,
        target,
        base_time=datetime(1970, 1, 1, tzinfo=UTC),
        assume_prefix_cache=sampling.assume_prefix_cache,
    )
    calls: list[Counted] = []
    left_out = 0
    for each in opened(file, how):
        if isinstance(each, Draft) and isinstance(each.usage, Usage):
            provider = each.dimensions.provider
            model = f"{provider}/{each.model}" if provider else each.model
            calls.append(Counted(model, each.usage, each.dimensions.feature or "measured"))
        else:
            left_out += 1
    if left_out:
        sys.stderr.write(f"{left_out} rows state no usage and are left out.\n")
    return calls


def _number(text: str, kind: type[Quantity]) -> Quantity:
    try:
        return kind.parse(text)
    except ValueError as wrong:
        raise WrongUsage(str(wrong)) from None


def _engineering(month: Month) -> tuple[Fraction, Fraction, Fraction]:
    hours, wage = _number(month.hours, Natural), _number(month.wage, Natural)
    return hours.low * wage.low, hours.mean * wage.mean, hours.high * wage.high


def _one_model(calls: list[Counted]) -> str:
    models = sorted({call.model for call in calls})
    if len(models) > 1:
        raise BadPlan(
            f"a scenario of one sample has one model, and this has {', '.join(models)}",
            remedy="Take one model's calls, or leave out --scenario.",
        )
    return models[0]
