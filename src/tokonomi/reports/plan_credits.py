"""Packages of credits as statements: what they cost and leave, and at which mix they lose."""

from fractions import Fraction

from tokonomi.credits.weights import MILLI
from tokonomi.plan.credit_costs import ALL_OUTPUT, Shop
from tokonomi.plan.numbers import Means
from tokonomi.pricing.row import PriceRow
from tokonomi.reports.plan_month import exactly, said
from tokonomi.reports.statement import Cell, Column, Kind, Row, Statement
from tokonomi.reports.words import word

MILLION = Fraction(10**6)
THOUSAND = Fraction(1_000)


def table(
    title: str,
    columns: tuple[Column, ...],
    rows: list[Row],
    *notes: str,
    keys: int = 1,
    subject: str = "",
) -> Statement:
    """A statement without totals; `notes` are keys of words, `keys` counts its dimensions."""
    return Statement(
        title=title,
        subject=subject,
        period=None,
        columns=columns,
        rows=tuple(rows),
        totals=(),
        dimensions=tuple(column.name for column in columns[:keys]),
        notes=tuple(said(lambda locale, key=key: word(key, locale)) for key in notes),
    )


def package_column() -> Column:
    """The column that names a package."""
    return Column("package", "package", Kind.TEXT)


def model_column() -> Column:
    """The column that names a model."""
    return Column("model", "model", Kind.TEXT)


def currency_of_rows(shop: Shop) -> str:
    """The currency of the price rows beside the plan's, empty where they are the same."""
    own = shop.scenario.plan.currency
    others = [shop.row(model).currency for model in shop.models]
    return next((each for each in others if each != own), "")


def margin_of(revenue: Fraction, cost: Fraction) -> Fraction | None:
    """What is left of a revenue as a part of it."""
    return (revenue - cost) / revenue if revenue else None


def rate_of(row: PriceRow, count: str, tokens: Fraction) -> Fraction:
    """What so many tokens cost below every context tier."""
    return Means().price(row, count, tokens, Fraction(0))


def rates(shop: Shop) -> Statement:
    """What a million tokens cost as listed, and a thousand in the plan's currency."""
    own = shop.scenario.plan.currency
    first = shop.row(shop.terms.primary)
    rows: list[Row] = []
    for model in shop.models:
        row = shop.row(model)
        given, made = (rate_of(row, count, MILLION) for count in ("uncached_input", "output"))
        base_given, base_made = (
            rate_of(first, count, MILLION) for count in ("uncached_input", "output")
        )
        converted = [
            exactly(shop.in_own_currency(each / THOUSAND, row), own) for each in (given, made)
        ]
        against = (
            (given / base_given, made / base_made) if base_given and base_made else (None, None)
        )
        rows.append((model, given, made, *converted, *against))
    listed = first.currency
    return table(
        "rates of the models",
        (
            model_column(),
            Column("input_per_million", "input, 1M", Kind.MONEY, listed),
            Column("output_per_million", "output, 1M", Kind.MONEY, listed),
            Column("input_per_thousand", "input, 1K", Kind.MONEY, own, decimals=2),
            Column("output_per_thousand", "output, 1K", Kind.MONEY, own, decimals=2),
            Column("input_against", "input against primary", Kind.NUMBER, decimals=1, leaves=1),
            Column("output_against", "output against primary", Kind.NUMBER, decimals=1, leaves=1),
        ),
        rows,
    )


def packages(shop: Shop) -> Statement:
    """What each package costs at the usual mix, by model, input and output apart."""
    own, listed = shop.scenario.plan.currency, currency_of_rows(shop)
    rows: list[Row] = []
    for package in shop.packages:
        tokens = shop.mixed(package, shop.usual).tokens
        for model in shop.served:
            cost = shop.cost(package, model, shop.usual)
            rows.append(
                (
                    package.name,
                    model,
                    Fraction(package.amount, MILLI),
                    tokens,
                    exactly(cost.input_cost, own),
                    exactly(cost.output_cost, own),
                    exactly(cost.total, own),
                    exactly(cost.row_cost, cost.row_currency) if listed else None,
                )
            )
    return table(
        "cost of the packages",
        (
            package_column(),
            model_column(),
            Column("credits", "credits", Kind.NUMBER, leaves=2),
            Column("tokens", "tokens", Kind.NUMBER, leaves=1),
            Column("input_cost", "input", Kind.MONEY, own, leaves=4),
            Column("output_cost", "output", Kind.MONEY, own, leaves=4),
            Column("cost", "cost", Kind.MONEY, own),
            Column(
                "cost_listed", "cost, listed", Kind.MONEY, listed or own, optional=True, leaves=3
            ),
        ),
        rows,
        keys=2,
    )


def margins(shop: Shop) -> Statement:
    """What each package leaves at the usual mix and, beside it, at the worst one."""
    own = shop.scenario.plan.currency
    rows: list[Row] = []
    for package in shop.packages:
        revenue = shop.revenue(package)
        baseline = shop.cost(package, shop.terms.primary, shop.usual).total
        for model in shop.models:
            cost = shop.cost(package, model, shop.usual).total
            mix, worst = shop.worst(package, model)
            rows.append(
                (
                    package.name,
                    model,
                    exactly(revenue, own),
                    exactly(cost, own),
                    margin_of(revenue, cost),
                    cost / baseline - 1 if model != shop.terms.primary and baseline else None,
                    mix,
                    exactly(worst.total, own),
                    margin_of(revenue, worst.total),
                )
            )
    return table(
        "margin of the packages",
        (
            package_column(),
            model_column(),
            Column("revenue", "revenue", Kind.MONEY, own, leaves=2),
            Column("cost", "cost", Kind.MONEY, own),
            Column("margin", "margin", Kind.SHARE),
            Column("against", "against primary", Kind.SHARE, decimals=0, signed=True, leaves=3),
            Column("worst_mix", "output in the worst case", Kind.SHARE, decimals=0, leaves=1),
            Column("worst_cost", "worst case", Kind.MONEY, own),
            Column("worst_margin", "margin in the worst case", Kind.SHARE),
        ),
        rows,
        "plan.worst_mix",
        keys=2,
    )


def mixes(shop: Shop) -> Statement:
    """Cost and margin by package, model and mix of tokens, in both currencies."""
    own, listed = shop.scenario.plan.currency, currency_of_rows(shop)
    shares = sorted({shop.usual, ALL_OUTPUT, *(each.mean for each in shop.terms.mixes)})
    rows: list[Row] = []
    for package in shop.packages:
        revenue = shop.revenue(package)
        for model in shop.served:
            for share in shares:
                cost = shop.cost(package, model, share)
                rows.append(
                    (
                        package.name,
                        model,
                        share,
                        exactly(cost.total, own),
                        exactly(cost.row_cost, cost.row_currency) if listed else None,
                        margin_of(revenue, cost.total),
                    )
                )
    return table(
        "margin by mix",
        (
            package_column(),
            model_column(),
            Column("output_share", "output", Kind.SHARE),
            Column("cost", "cost", Kind.MONEY, own),
            Column(
                "cost_listed", "cost, listed", Kind.MONEY, listed or own, optional=True, leaves=1
            ),
            Column("margin", "margin", Kind.SHARE),
        ),
        rows,
        keys=2,
    )


def limits(shop: Shop) -> Statement:
    """The mix and the exchange rate at which a package earns nothing."""
    own = shop.scenario.plan.currency
    rows: list[Row] = []
    for package in shop.packages:
        for model in shop.models:
            rate: Cell = exactly(shop.break_even_rate(package, model), own)
            rows.append((package.name, model, shop.break_even_mix(package, model), rate))
    return table(
        "where a package earns nothing",
        (
            package_column(),
            model_column(),
            Column("output_share", "output", Kind.SHARE),
            Column("rate", "exchange rate", Kind.MONEY, own),
        ),
        rows,
        "plan.no_break_even_mix",
        keys=2,
    )
