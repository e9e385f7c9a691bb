"""`tokonomi plan`: what a feature will cost before it is built."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter, validators

from tokonomi.cli.printing import AS_TABLE as AS_LIST
from tokonomi.cli.printing import Listing, print_table
from tokonomi.cli.report import write_bytes
from tokonomi.cli.store_options import pairs
from tokonomi.errors import BadMoney, WrongUsage
from tokonomi.money import Locale, Money, parse_amount
from tokonomi.plan.evaluate import check_known
from tokonomi.plan.json_schema import json_schema
from tokonomi.plan.simulate import DRAWS, SEED
from tokonomi.plans import Chance, Plan, compare, comparison_page
from tokonomi.reports.forms import Form
from tokonomi.reports.forms.sections import Sections, rendered_sections
from tokonomi.reports.tables import Heading, Table
from tokonomi.storage.plan_files import template_names

OVER: Final = 4
"""Exit code when the plan is over the amount of --fail-over."""

app = App(name="plan", help="Plan what a feature will cost before it is built.")
_DIFF: Final = "Compare two states of a scenario: what changed in it, and what that costs a month."
_PREDICT: Final = (
    "Forecast a month from recorded calls, and hold the forecast to the calls that follow."
)
_SENSITIVITY: Final = (
    "Say what moves the cost: one number at a time, exactly, and by shares of the variance."
)
_REQUIRED: Final = "Find the value of one number at which a month costs, or leaves, an amount."
for _name, _path, _line in (
    ("diff", "plan_diff:plan_diff", _DIFF),
    ("predict", "plan_predict:predict", _PREDICT),
    ("sensitivity", "plan_levers:sensitivity", _SENSITIVITY),
    ("required", "plan_levers:required_value", _REQUIRED),
):
    # A command is imported when it runs, so the line of the list stands here too.
    app.command(f"tokonomi.cli.{_path}", name=_name, help=_line)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which scenario is meant.

    Attributes:
        template: a bundled scenario instead of a file, such as coaching-app.
        set: a value in place of the scenario's, such as volume.users=1000. Repeatable.
        contract: a file with your own prices.
    """

    template: str = ""
    set: Annotated[list[str] | None, Parameter(negative=())] = None
    contract: Path | None = None

    def other(self, name: str) -> Plan:
        """The plan of another template or file, at the same prices."""
        if name in template_names():
            return Plan.template(name, contract=self.contract)
        return Plan.read(Path(name), contract=self.contract)

    def plan(self, file: Path | None) -> Plan:
        """The plan of the file or the template.

        Raises:
            WrongUsage: neither or both are named.
        """
        if (file is None) == (not self.template):
            raise WrongUsage(
                "name one scenario: a file, or a template",
                remedy="Try `tokonomi plan --template coaching-app`.",
            )
        if file is None:
            plan = Plan.template(self.template, contract=self.contract)
        else:
            plan = Plan.read(file, contract=self.contract)
        return plan.with_values(pairs(self.set, "--set"))


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the answer is written.

    Attributes:
        format: the form.
        section: one table instead of all; CSV and Parquet hold the lines unless it names another.
        output: a file to write to instead of the terminal.
        locale: language of tables and Markdown.
    """

    format: Form = "table"
    section: str = ""
    output: Path | None = None
    locale: Locale = "en"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How estimates are drawn.

    Attributes:
        draws: how many, up to ten million; 0 leaves out what is estimated.
        seed: the same seed gives the same figures.
    """

    draws: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=10_000_000))] = DRAWS
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = SEED

    @property
    def chance(self) -> Chance:
        """The same, for a plan."""
        return Chance(self.draws, self.seed)


FROM_A_FILE: Final = Source()
AS_USUAL: Final = Drawing()
AS_TABLE: Final = Output()


@app.default
def plan(
    file: Path | None = None,
    /,
    *,
    compare_with: Annotated[list[str] | None, Parameter("--compare", negative=())] = None,
    fail_over: str = "",
    source: Source = FROM_A_FILE,
    drawing: Drawing = AS_USUAL,
    output: Output = AS_TABLE,
) -> int:
    """Plan a month: its cost for each call, session and user, by model, component and feature.

    Args:
        file: a scenario.
        compare_with: a template or file to set beside it, up to seven of them. Repeatable.
        fail_over: exit with 4, after printing, when a month costs more than this amount.
        source: which scenario, and what is changed in it.
        drawing: how estimates are drawn.
        output: how the answer is written.
    """
    planned = source.plan(file)
    others = [source.other(name) for name in compare_with or ()]
    month = planned.month
    limit = limit_of(fail_over, output.locale, month.currency)
    if limit is not None:
        check_known(month)
    if output.format == "html" and not output.section:
        page = planned.page(output.locale, drawing.chance)
        if others:
            page = comparison_page([planned, *others], output.locale)
        write_bytes(page.encode(), output.output)
    elif others:
        write_sections(compare([planned, *others]), output)
    else:
        write_sections(planned.sections(drawing.chance), output)
    if limit is None or month.cost <= limit:
        return 0
    over = month.cost - limit
    sys.stderr.write(f"{month.cost.format()} a month is {over.format()} over {limit.format()}.\n")
    return OVER


@app.command
def templates(*, listing: Listing = AS_LIST) -> None:
    """List the bundled scenarios.

    Args:
        listing: how the list is written.
    """
    plans = {name: Plan.template(name).scenario.plan for name in template_names()}
    rows = tuple((name, plan.name, plan.currency, f"{plan.at}") for name, plan in plans.items())
    headings = (Heading("template"), Heading("name"), Heading("currency"), Heading("prices_of"))
    print_table(Table("Templates: tokonomi plan --template NAME", headings, rows), listing)


@app.command
def schema(*, output: Path | None = None) -> None:
    """Write the JSON Schema of scenarios, by which editors complete and check them.

    Args:
        output: a file to write to instead of standard output.
    """
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    write_bytes(text.encode(), output)


def limit_of(fail_over: str, locale: Locale, currency: str) -> Money | None:
    """The amount of `--fail-over`, read before anything is printed; None when none is given.

    Raises:
        BadMoney: the text is not an amount of the plan's currency.
    """
    if not fail_over:
        return None
    try:
        return parse_amount(fail_over, locale, currency=currency)
    except BadMoney as wrong:
        what = f"--fail-over: {wrong.what}, the currency of the plan"
        raise BadMoney(what, remedy=wrong.remedy) from None


def write_sections(sections: Sections, output: Output) -> None:
    """Nothing: the tables are on standard output or in the file."""
    on_terminal = output.output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else None
    content = rendered_sections(
        sections, output.format, output.locale, only=output.section, width=width
    )
    write_bytes(content, output.output, parquet=output.format == "parquet")
