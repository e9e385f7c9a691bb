"""Choices that a seller of credits has: models, fallback, buffers, exchange rates, prices."""

from dataclasses import replace
from fractions import Fraction

from tokonomi.credits.package import Package
from tokonomi.credits.weights import MILLI
from tokonomi.money import format_amount, format_percent
from tokonomi.plan.credit_costs import Shop, at_fallback_shares, covers
from tokonomi.reports import plan_credits
from tokonomi.reports.plan_credits import (
    MILLION,
    margin_of,
    model_column,
    package_column,
    rate_of,
    table,
)
from tokonomi.reports.plan_month import exactly, said
from tokonomi.reports.statement import Column, Kind, Note, Row, Statement
from tokonomi.reports.words import word


def savings(shop: Shop, previous: str) -> Statement:
    """What the fallback saves against the one that it replaced."""
    own = shop.scenario.plan.currency
    rows: list[Row] = []
    for package in shop.packages:
        before, after = (
            shop.cost(package, model, shop.usual).total for model in (previous, shop.terms.fallback)
        )
        saved = before - after
        amounts = (exactly(each, own) for each in (before, after, saved))
        rows.append((package.name, *amounts, saved / before if before else None))
    return table(
        "savings against the previous fallback",
        (
            package_column(),
            Column("before", previous, Kind.MONEY, own),
            Column("after", shop.terms.fallback, Kind.MONEY, own),
            Column("saved", "saved", Kind.MONEY, own),
            Column("saved_share", "in percent", Kind.SHARE, decimals=0),
        ),
        rows,
        "plan.saved_at_this_mix",
    )


def models(shop: Shop) -> Statement:
    """The candidates beside the fallback, with hidden tokens at both ends of what they may be."""
    own = shop.scenario.plan.currency
    package = shop.packages[0]
    revenue = shop.revenue(package)
    chosen = shop.row(shop.terms.fallback)
    listed = [rate_of(chosen, count, MILLION) for count in ("uncached_input", "output")]
    rows: list[Row] = []
    for model in shop.models:
        row = shop.row(model)
        given, made = (rate_of(row, count, MILLION) for count in ("uncached_input", "output"))
        hidden = shop.terms.reasoning_per_output.get(model)
        ends = (Fraction(0), Fraction(0)) if hidden is None else (hidden.low, hidden.high)
        low, high = (shop.cost(package, model, shop.usual, hidden=each).total for each in ends)
        rows.append(
            (
                model,
                given,
                made,
                given / listed[0] - 1,
                made / listed[1] - 1,
                "no" if hidden is None else hidden.text,
                exactly(low, own),
                exactly(high, own),
                margin_of(revenue, high),
            )
        )
    money, share = Kind.MONEY, Kind.SHARE
    return table(
        "models compared",
        (
            model_column(),
            Column("input_per_million", "input, 1M", money, chosen.currency),
            Column("output_per_million", "output, 1M", money, chosen.currency),
            Column(
                "input_against", "input against fallback", share, decimals=0, signed=True, leaves=1
            ),
            Column(
                "output_against",
                "output against fallback",
                share,
                decimals=0,
                signed=True,
                leaves=1,
            ),
            Column("hidden", "hidden tokens for each of output", Kind.WORD, leaves=2),
            Column("low", "cost, at least", money, own),
            Column("high", "cost, at most", money, own),
            Column("margin", "margin, at least", share),
        ),
        rows,
        subject=package.name,
    )


def fallback_shares(shop: Shop) -> Statement:
    """Each package when a part of the requests is answered by the fallback."""
    own = shop.scenario.plan.currency
    rows: list[Row] = [
        (
            package.name,
            found.share,
            exactly(found.cost, own),
            found.margin,
            found.extra,
            found.of_the_bill,
        )
        for package in shop.packages
        for found in at_fallback_shares(shop, package)
    ]
    return table(
        "margin by fallback rate",
        (
            package_column(),
            Column("share", "of the requests", Kind.SHARE),
            Column("cost", "cost", Kind.MONEY, own),
            Column("margin", "margin", Kind.SHARE),
            Column("extra", "over all on the primary", Kind.SHARE, signed=True),
            Column("of_the_bill", "fallback, of the cost", Kind.SHARE),
        ),
        rows,
    )


def buffers(shop: Shop) -> Statement:
    """What a part of the budget that is kept for fallback is enough for."""
    rows: list[Row] = [
        (found.buffer, found.share, found.days) for found in covers(shop, shop.packages[0])
    ]
    return table(
        "what a buffer for fallback covers",
        (
            Column("buffer", "of the budget", Kind.SHARE),
            Column("share", "of the requests", Kind.SHARE, decimals=2),
            Column("days", "days of a month without the primary", Kind.NUMBER, decimals=2),
        ),
        rows,
    )


def exchange_moves(shop: Shop) -> Statement:
    """Each package on the fallback when the price of the row's currency moves."""
    own = shop.scenario.plan.currency
    rows: list[Row] = []
    for package in shop.packages:
        revenue = shop.revenue(package)
        cost = shop.cost(package, shop.terms.fallback, shop.usual)
        for move in shop.terms.exchange_moves:
            moved = cost.total * (1 + move.mean)
            rate = exactly(moved / cost.row_cost, own) if cost.row_cost else None
            rows.append(
                (package.name, move.mean, rate, exactly(moved, own), margin_of(revenue, moved))
            )
    return table(
        "margin by exchange rate",
        (
            package_column(),
            Column("move", "the rate moves by", Kind.SHARE, decimals=0, signed=True),
            Column("rate", "exchange rate", Kind.MONEY, own),
            Column("cost", "cost", Kind.MONEY, own),
            Column("margin", "margin", Kind.SHARE, decimals=2),
        ),
        rows,
        "plan.on_the_fallback",
    )


def target_prices(shop: Shop, margin: Fraction) -> Statement:
    """The price that leaves a margin, at the usual mix and at the worst, on both models."""
    own = shop.scenario.plan.currency
    rows: list[Row] = []
    for package in shop.packages:
        for model in (shop.terms.primary, shop.terms.fallback):
            usual = shop.cost(package, model, shop.usual).total
            worst = shop.worst(package, model)[1].total
            rows.append(
                (
                    package.name,
                    model,
                    exactly(shop.revenue(package), own),
                    shop.price_for(usual, margin),
                    shop.price_for(worst, margin),
                    *_by_credit(shop, package, usual),
                )
            )
    priced = table(
        "prices for a target margin",
        (
            package_column(),
            model_column(),
            Column("price", "price now", Kind.MONEY, own),
            Column("usual", "at the usual mix", Kind.MONEY, own),
            Column("worst", "in the worst case", Kind.MONEY, own),
            Column("price_per_credit", "price of a credit", Kind.MONEY, own, decimals=2, leaves=1),
            Column("cost_per_credit", "cost of a credit", Kind.MONEY, own, decimals=2, leaves=1),
        ),
        rows,
        keys=2,
    )
    return replace(priced, notes=(_of_the_target(shop, margin),))


def _of_the_target(shop: Shop, margin: Fraction) -> Note:
    own, step = shop.scenario.plan.currency, shop.terms.price_step.mean
    return said(
        lambda locale: word(
            "plan.target_margin",
            locale,
            margin=format_percent(margin, locale=locale),
            step=format_amount(step, own, locale),
        )
    )


def _by_credit(shop: Shop, package: Package, cost: Fraction) -> tuple[Fraction | None, ...]:
    own, sold = shop.scenario.plan.currency, Fraction(package.amount, MILLI)
    return exactly(shop.revenue(package) / sold, own), exactly(cost / sold, own)


def alerts(shop: Shop) -> Statement:
    """How many packages a day on the fallback each amount of an alert is."""
    own = shop.scenario.plan.currency
    rows: list[Row] = [
        (
            package.name,
            alert.mean,
            alert.mean / shop.cost(package, shop.terms.fallback, shop.usual).total,
        )
        for package in shop.packages
        for alert in shop.terms.daily_alerts
    ]
    return table(
        "alerts in packages",
        (
            package_column(),
            Column("alert", "alert, a day", Kind.MONEY, own),
            Column("packages", "packages a day", Kind.NUMBER, decimals=1),
        ),
        rows,
    )


def credit_sections(shop: Shop) -> dict[str, Statement]:
    """Every table of the credits, in the order in which they are to be read."""
    terms = shop.terms
    found = {
        "rates": plan_credits.rates(shop),
        "packages": plan_credits.packages(shop),
        "margins": plan_credits.margins(shop),
        "mixes": plan_credits.mixes(shop),
        "limits": plan_credits.limits(shop),
        "candidates": models(shop),
    }
    if terms.previous is not None:
        found["previous"] = savings(shop, terms.previous)
    if terms.fallback_shares:
        found["fallback"] = fallback_shares(shop)
    if terms.buffers:
        found["buffers"] = buffers(shop)
    if terms.exchange_moves and plan_credits.currency_of_rows(shop):
        found["exchange"] = exchange_moves(shop)
    if terms.target_margin is not None:
        found["prices"] = target_prices(shop, terms.target_margin.mean)
    if terms.daily_alerts:
        found["alerts"] = alerts(shop)
    return found
