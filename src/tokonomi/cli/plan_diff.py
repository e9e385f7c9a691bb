"""`tokonomi plan diff`: what a change of a scenario does to its month."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cyclopts import Parameter

from tokonomi.cli.plan import OVER, Output, Source, limit_of, write_sections
from tokonomi.plans import diff
from tokonomi.reports.forms import Form


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Whose prices hold.

    Attributes:
        contract: a file with your own prices.
    """

    contract: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class InMarkdown(Output):
    """How the answer is written: for pull requests, unless another form is asked for."""

    format: Form = "markdown"


AS_MARKDOWN: Final = InMarkdown()
LISTED: Final = Prices()


def plan_diff(
    before: str,
    after: str,
    /,
    *,
    fail_over: str = "",
    prices: Prices = LISTED,
    output: InMarkdown = AS_MARKDOWN,
) -> int:
    """Compare two states of a scenario: what changed in it, and what that costs a month.

    Args:
        before: a scenario's file or a template.
        after: another one.
        fail_over: exit with 4, after printing, when a month costs more than this amount more.
        prices: whose prices hold.
        output: how the answer is written.
    """
    source = Source(contract=prices.contract)
    old, new = source.other(before), source.other(after)
    limit = limit_of(fail_over, output.locale, new.month.currency)
    write_sections(diff(old, new), output)
    if limit is None:
        return 0
    more = new.month.cost - old.month.cost
    if more <= limit:
        return 0
    sys.stderr.write(f"A month costs {more.format()} more, which is over {limit.format()}.\n")
    return OVER
