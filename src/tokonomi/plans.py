"""Plans in Python: read a scenario, evaluate it, show it.

>>> plan = Plan.template("coaching-app")
>>> plan.month.cost.format()
'$8.02'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cached_property
from html import escape
from importlib.util import find_spec
from io import BytesIO
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokonomi.credits.package import Offer
from tokonomi.errors import BadPlan, NotFound
from tokonomi.money import Locale, Money
from tokonomi.naming import meant
from tokonomi.plan.credit_costs import Shop
from tokonomi.plan.differences import differences
from tokonomi.plan.document import Node, read_document, with_value
from tokonomi.plan.evaluate import Month, ends_of, month_of, projection
from tokonomi.plan.inputs import uncertain_costs, uncertain_revenue
from tokonomi.plan.named_models import check_prices, undated_models
from tokonomi.plan.own_packages import offer_in
from tokonomi.plan.predict import BackTest, Sample, Volume, back_test
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.required import Measure, measured_at, required
from tokonomi.plan.scenario import Scenario
from tokonomi.plan.scenario_file import scenario_of
from tokonomi.plan.simulate import DRAWS, SEED, Simulation, simulate
from tokonomi.plan.tornado import Swing, tornado
from tokonomi.pricing.book import PriceBook
from tokonomi.reports import (
    plan_bands,
    plan_build,
    plan_compare,
    plan_levers,
    plan_month,
    plan_predict,
)
from tokonomi.reports.forms import rendered
from tokonomi.reports.forms.cells import grid_of
from tokonomi.reports.forms.html import html_table
from tokonomi.reports.forms.sections import LINES, Sections
from tokonomi.reports.plan_compare import Compared
from tokonomi.reports.plan_credit_choices import credit_sections
from tokonomi.reports.plan_diff import changed_costs, changed_inputs
from tokonomi.reports.plan_page import Figures, page_of_comparison, plan_page
from tokonomi.reports.statement import Note, Statement
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.plan_files import load_scenario, load_template
from tokonomi.storage.price_files import load_book

if TYPE_CHECKING:
    from polars import DataFrame

DRAWS_AHEAD: Final = 20_000
"""Draws of each month ahead, of which there may be many."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How estimates are drawn.

    Attributes:
        draws: how many; 0 leaves out what is estimated.
        seed: the same seed gives the same figures.
    """

    draws: int = DRAWS
    seed: int = SEED


USUAL: Final = Chance()
NO_ENGINEERING: Final = (Fraction(0), Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Plan:
    """A scenario with the prices that it is evaluated at.

    Attributes:
        document: the scenario's values and where they stand.
        book: the price book.
        offer: the packages of credits on sale where the scenario states none of its own.
        today: after which a date is one of the future.
    """

    document: Node
    book: PriceBook = field(default_factory=load_book, repr=False)
    offer: Offer = field(default_factory=load_offer, repr=False)
    today: date = field(default_factory=lambda: datetime.now(UTC).date(), repr=False)

    @classmethod
    def template(cls, name: str, *, contract: Path | None = None) -> "Plan":
        """The plan of a bundled template, such as `coaching-app`.

        Raises:
            NotFound: there is no such template.
        """
        return cls(load_template(name), load_book(contract))

    @classmethod
    def read(cls, path: Path | str, *, contract: Path | None = None) -> "Plan":
        """The plan of a scenario's file.

        Raises:
            BadPlan: the scenario is wrong; the error names file, line and key.
        """
        return cls(load_scenario(Path(path)), load_book(contract))

    @classmethod
    def of(cls, text: str, *, name: str = "scenario.toml", contract: Path | None = None) -> "Plan":
        """The plan of a scenario's text."""
        return cls(read_document(text, name), load_book(contract))

    def with_values(self, values: Mapping[str, str]) -> "Plan":
        """The plan with other values at some paths.

        >>> plan = Plan.template("coaching-app").with_values({"volume.users": "1000"})
        >>> plan.month.cost.format()
        '$16.04'
        """
        document = self.document
        for path, value in values.items():
            document = with_value(document, path, value)
        return replace(self, document=document)

    @cached_property
    def scenario(self) -> Scenario:
        """The typed and checked scenario."""
        return scenario_of(self.document)

    @cached_property
    def prices(self) -> PriceList:
        """The prices of the scenario's date, on which each of its models has one.

        Raises:
            BadPlan: a model is unknown, or has no price on that date.
        """
        prices = PriceList.of(self.scenario, self.book)
        check_prices(self.scenario, prices, lambda place: self.document.at(place).where)
        return prices

    @cached_property
    def month(self) -> Month:
        """The month, exactly, every distribution at its mean."""
        return month_of(self.scenario, self.prices)

    @cached_property
    def months(self) -> tuple[Month, ...]:
        """The months of the projection."""
        return projection(self.scenario, self.prices)

    @property
    def shop(self) -> Shop | None:
        """The packages of credits that the scenario sells, with what they cost."""
        terms = self.scenario.credits
        if terms is None:
            return None
        return Shop(self.scenario, terms, offer_in(self.scenario, self.offer), self.prices)

    @property
    def unit(self) -> str:
        """What one session of the scenario is called."""
        return plan_month.unit_of(self.scenario)

    def simulated(self, *, draws: int = DRAWS, seed: int = SEED, month: int = 0) -> Simulation:
        """What the month with this number, from 0, may cost: estimates, draw by draw."""
        return simulate(self.scenario, self.prices, draws=draws, seed=seed, month=month)

    @cached_property
    def swings(self) -> tuple[Swing, ...]:
        """What each uncertain number does to the cost, exactly, the strongest first."""
        return tornado(self.scenario, self.prices)

    def months_ahead(self, chance: Chance) -> list[Simulation]:
        """The months of the projection, in fewer draws than the first one has."""
        draws = min(chance.draws, DRAWS_AHEAD)
        months = range(self.scenario.plan.months)
        return [self.simulated(draws=draws, seed=chance.seed, month=each) for each in months]

    def _bands(self, chance: Chance) -> dict[str, Statement]:
        """What the month may cost, and what moves it."""
        scenario, currency = self.scenario, self.month.currency
        simulation = self.simulated(draws=chance.draws, seed=chance.seed)
        found = {"bands": plan_bands.bands(simulation, currency, seed=chance.seed)}
        if (chances := plan_bands.chances(scenario, simulation)) is not None:
            found["chances"] = chances
        if self.swings:
            found["tornado"] = plan_bands.tornado(self.swings, currency)
        if scenario.plan.months > 1:
            found["months_ahead"] = plan_bands.fan(self.months_ahead(chance), currency)
        return found

    def sections(self, chance: Chance = USUAL) -> Sections:
        """Every table of the plan, in the order in which they are to be read."""
        scenario, month = self.scenario, self.month
        found = {"summary": plan_month.summary(scenario, month, self.dating)}
        if month.known and uncertain_costs(scenario):
            low, high = ends_of(scenario, self.prices)
            found["ends"] = plan_levers.ends(self.unit, low=low, mean=month, high=high)
        if (
            month.known
            and chance.draws
            and (uncertain_costs(scenario) or uncertain_revenue(scenario))
        ):
            found |= self._bands(chance)
        found |= self._parts()
        found |= self._levers()
        if (shop := self.shop) is not None:
            found |= credit_sections(shop)
        if not month.known:
            return found
        return {**found, LINES: plan_month.line_items(scenario, month)}

    @property
    def dating(self) -> tuple[Note, ...]:
        """What must be said of the date of the prices."""
        undated = undated_models(self.scenario, self.prices)
        return plan_month.dating(self.scenario.plan.at, undated, today=self.today)

    def _parts(self) -> dict[str, Statement]:
        """Where the money of the month goes, and where it comes from."""
        month, found = self.month, dict[str, Statement]()
        if month.token_cost.sub_units:
            found["models"] = plan_month.models(month, self.unit)
        if month.lines:
            found["components"] = plan_month.components(month, self.unit)
            found["features"] = plan_month.features(month, self.unit)
        if month.revenue_lines:
            found["revenue"] = plan_month.revenue(month)
        return found

    def _levers(self) -> dict[str, Statement]:
        """What stands beside the month."""
        scenario, month, found = self.scenario, self.month, dict[str, Statement]()
        if month.known and scenario.human is not None and month.scale.sessions:
            days = scenario.volume.days_per_month
            found["people"] = plan_levers.by_people(
                scenario.human, month, self.unit, days_per_month=days
            )
        if month.known and scenario.saving:
            found["savings"] = plan_levers.savings(scenario.saving, month)
        if month.known and scenario.plan.months > 1:
            found["months"] = plan_month.projected(self.months)
        if self._can_be_built:
            found |= self._building()
        if scenario.energy is not None:
            found["energy"] = plan_levers.energy(scenario.energy, month.currency)
        return found

    @property
    def _can_be_built(self) -> bool:
        """Whether there are tokens of sessions, which machines could make."""
        return bool(self.month.token_cost.sub_units and self.month.scale.sessions)

    def _building(self) -> dict[str, Statement]:
        """Own machines, and a fine-tuned model, against the interface."""
        scenario, month, found = self.scenario, self.month, dict[str, Statement]()
        if scenario.self_host is not None:
            found["crossover"] = plan_build.crossover(scenario.self_host, month)
            if scenario.self_host.scales:
                found["scales"] = plan_build.scales(scenario.self_host, month)
        if scenario.fine_tune is not None:
            found["fine_tuning"] = plan_build.fine_tuning(scenario.fine_tune, month)
        return found

    def sensitivity(self, *, seed: int = SEED) -> Sections:
        """What moves the cost; shares of the variance need the extra `sensitivity`.

        Raises:
            BadPlan: no number of the cost is uncertain, so none can move it.
        """
        if not self.swings:
            raise BadPlan(
                f'"{self.scenario.plan.name}" has no uncertain number that moves its cost',
                remedy='Write one as a band, such as users = "400..500..700", or with --set.',
            )
        from tokonomi.plan.variance import influences  # noqa: PLC0415 - it imports the extra

        found = influences(self.scenario, self.prices, seed=seed)
        return {
            "tornado": plan_bands.tornado(self.swings, self.month.currency),
            "variance": plan_bands.influences(found),
        }

    def required(self, path: str, target: Money, *, measure: Measure = "cost") -> Sections:
        """The value of a number at which the month's cost, or its profit, is the target.

        Raises:
            BadPlan: there is no such number, or no value of it reaches the target.
        """
        wanted = target.fraction()
        found = required(self.scenario, self.prices, path, wanted, measure=measure)
        whole = measured_at(self.scenario, self.prices, path, floor(found.value), measure=measure)
        return {"required": plan_bands.required(found, whole, self.month.currency, wanted)}

    def page(self, locale: Locale = "en", chance: Chance = USUAL) -> str:
        """The plan as one HTML page that holds all it needs; pictures need the extra `charts`."""
        figures = self.figures(locale, chance)
        return plan_page(self.scenario, self.month, self.sections(chance), locale, figures=figures)

    def figures(self, locale: Locale = "en", chance: Chance = USUAL) -> Figures:
        """The pictures of the plan by section, none without the extra `charts`."""
        if not has_charts():
            return {}
        from tokonomi.reports import plan_figures  # noqa: PLC0415 - it imports the extra

        found = {"components": (plan_figures.cost_figure(self.month, locale),)}
        if self.swings:
            drawn = plan_figures.tornado_figure(self.swings, self.month, locale)
            found["tornado"] = (drawn,)
        if self.swings and chance.draws and self.scenario.plan.months > 1:
            months = self.months_ahead(chance)
            found["months_ahead"] = (plan_figures.fan_figure(self.scenario, months, locale),)
        if self.scenario.self_host is not None and self._can_be_built:
            drawn = plan_figures.crossover_figure(self.scenario.self_host, self.month, locale)
            found["crossover"] = (drawn,)
        if self.shop is not None:
            found["mixes"] = (plan_figures.margin_figure(self.shop, locale),)
        return found

    def to_polars(self, section: str = LINES) -> "DataFrame":
        """A section as a frame of polars, amounts as exact decimals; it needs the extra `frames`.

        Raises:
            NotFound: there is no such section.
        """
        from polars import read_parquet  # noqa: PLC0415 - it is an extra

        sections = self.sections()
        if section not in sections:
            raise NotFound(f'the plan has no section "{section}"', remedy=meant(section, sections))
        return read_parquet(BytesIO(rendered(sections[section], "parquet")))

    def _repr_html_(self) -> str:
        """The tables of the plan, for notebooks."""
        grids = [grid_of(each, "en") for name, each in self.sections().items() if name != LINES]
        return "".join(f"<h4>{escape(grid.title)}</h4>{html_table(grid)}" for grid in grids)


def has_charts() -> bool:
    """Whether the extra `charts` is installed."""
    return all(find_spec(name) for name in ("altair", "vl_convert"))


def has_variance() -> bool:
    """Whether the extra `sensitivity` is installed."""
    return find_spec("scipy") is not None


def compare(plans: Sequence[Plan]) -> Sections:
    """The tables that set two to eight plans side by side; the first is what others are against.

    Raises:
        WrongUsage: fewer than two, or more than eight.
        BadPlan: their currencies differ.
    """
    compared = _stated(plans)
    return {
        "comparison": plan_compare.comparison(compared),
        "components": plan_compare.components_compared(compared),
        **{
            f"basis_{number}": plan_compare.basis(each, plan.dating)
            for number, (each, plan) in enumerate(zip(compared, plans, strict=True), 1)
        },
    }


def comparison_page(plans: Sequence[Plan], locale: Locale = "en") -> str:
    """The comparison as one HTML page; its picture needs the extra `charts`."""
    compared = _stated(plans)
    figures: Figures = {}
    if has_charts():
        from tokonomi.reports import plan_figures  # noqa: PLC0415 - it imports the extra

        figures = {"comparison": (plan_figures.comparison_figure(compared, locale),)}
    return page_of_comparison(compared, compare(plans), locale, figures=figures)


def _stated(plans: Sequence[Plan]) -> tuple[Compared, ...]:
    return plan_compare.distinct([(each.scenario, each.month) for each in plans])


def diff(before: Plan, after: Plan) -> Sections:
    """What changed between two states of a scenario, and what that does to its month.

    Raises:
        BadPlan: their currencies differ.
    """
    return {
        "costs": changed_costs(before.month, after.month),
        "inputs": changed_inputs(differences(before.document, after.document)),
    }


def predict(
    sample: Sample,
    volume: Volume,
    *,
    first: int,
    spread: bool = False,
    engineering: Sequence[Fraction] = NO_ENGINEERING,
    seed: int = SEED,
) -> Sections:
    """The forecast of a month from some calls of a sample, held to its other calls.

    They are the first ones, or with `spread` as many from all of its time. `engineering` is what it
    costs a month at least, as expected, and at most.
    """
    used = chosen(sample, first, spread=spread).part(0, first)
    found = {"forecast": plan_predict.forecast(used, volume, engineering, seed=seed)}
    tests: list[BackTest] = []
    size = len(used)
    while 2 * size <= len(sample):
        tests.append(back_test(chosen(sample, size, spread=spread), size, seed=seed))
        size *= 2
    if tests:
        found["back_test"] = plan_predict.back_tests(tests, sample.currency)
    return found


def chosen(sample: Sample, first: int, *, spread: bool) -> Sample:
    """The sample with the calls that a forecast is made of first."""
    return sample.spread_out(first) if spread else sample
