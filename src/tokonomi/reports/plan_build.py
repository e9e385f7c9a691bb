"""Building against buying as statements: crossovers, scales, and fine-tuning."""

from fractions import Fraction

from tokonomi.money import format_number
from tokonomi.plan.build_or_buy import (
    MINUTES_A_DAY,
    End,
    at_scale,
    crossovers,
    does_not_fit,
    machines_at,
    reduction_for,
    tuned,
)
from tokonomi.plan.evaluate import Month
from tokonomi.plan.scenario import FineTune, SelfHost
from tokonomi.reports.plan_month import exactly, said
from tokonomi.reports.statement import Column, Kind, Note, Row, Statement
from tokonomi.reports.words import word


def price_of_a_request(month: Month) -> Fraction:
    """What the plan's tokens cost for each of its sessions."""
    assert month.scale.sessions, "only a month with sessions can be built"
    return month.token_cost.fraction() / month.scale.sessions


def crossover(stated: SelfHost, month: Month) -> Statement:
    """The intervals in which own machines are cheaper, at each end of the uncertain numbers."""
    price, days = price_of_a_request(month), int(month.scale.days)
    rows: list[Row] = []
    for end in End:
        found = crossovers(machines_at(stated, end, days=days), price)
        rows += [
            (
                end,
                each.low,
                each.high,
                each.low * MINUTES_A_DAY,
                Fraction(each.replicas),
                "as far as was looked" if each.open_ended else "a step",
            )
            for each in found
        ] or [(end, None, None, None, None, "no crossover")]
    return Statement(
        title="where own machines are cheaper",
        period=None,
        columns=(
            Column("end", "numbers", Kind.WORD),
            Column("low", "from, requests a minute", Kind.NUMBER, decimals=1),
            Column("high", "to, requests a minute", Kind.NUMBER, decimals=1),
            Column("per_day", "from, requests a day", Kind.NUMBER),
            Column("replicas", "replicas", Kind.NUMBER),
            Column("until", "ends at", Kind.WORD),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("end",),
        notes=_notes(stated),
    )


def _notes(stated: SelfHost) -> tuple[Note, ...]:
    weights, memory = stated.weights_gb, stated.memory_gb
    if not does_not_fit(stated) or weights is None or memory is None:
        return ()
    sizes = {name: each.mean for name, each in (("weights", weights), ("memory", memory))}
    return (
        said(
            lambda locale: word(
                "plan.does_not_fit",
                locale,
                **{
                    name: format_number(size, decimals=0, locale=locale)
                    for name, size in sizes.items()
                },
            )
        ),
    )


def scales(stated: SelfHost, month: Month) -> Statement:
    """Some numbers of requests a day by both ways, machines at their means."""
    price, currency = price_of_a_request(month), month.currency
    machines = machines_at(stated, End.MEAN, days=int(month.scale.days))
    found = [at_scale(machines, price, each.mean) for each in stated.scales]
    rows: list[Row] = [
        (
            each.requests_per_day,
            each.requests_per_day / MINUTES_A_DAY,
            exactly(each.interface, currency),
            exactly(each.machines, currency),
            Fraction(each.replicas),
            each.cheaper,
        )
        for each in found
    ]
    return Statement(
        title="building against buying",
        period=None,
        columns=(
            Column("per_day", "requests a day", Kind.NUMBER),
            Column("per_minute", "a minute", Kind.NUMBER, decimals=1),
            Column("interface", "interface, a month", Kind.MONEY, currency),
            Column("machines", "machines, a month", Kind.MONEY, currency),
            Column("replicas", "replicas", Kind.NUMBER),
            Column("cheaper", "cheaper", Kind.WORD),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("per_day",),
    )


def fine_tuning(stated: FineTune, month: Month) -> Statement:
    """What a fine-tuned model saves, from how many requests a day it pays, and what it needs."""
    currency = month.currency
    found = list(tuned(stated, price_of_a_request(month), days=int(month.scale.days)))
    targets = [each.mean for each in stated.target_savings]
    rows: list[Row] = [
        (
            each.multiplier,
            each.saved,
            exactly(each.fixed, currency),
            each.break_even_per_day,
            *(reduction_for(each.multiplier, target) for target in targets),
        )
        for each in found
    ]
    return Statement(
        title="fine-tuning",
        period=None,
        columns=(
            Column("multiplier", "price multiplier", Kind.NUMBER, decimals=2),
            Column("saved", "saved of the tokens", Kind.SHARE),
            Column("fixed", "training and upkeep, a month", Kind.MONEY, currency),
            Column("break_even", "pays from, requests a day", Kind.NUMBER),
            *(
                Column(f"needed_{number}", target, Kind.SHARE)
                for number, target in enumerate((each.text for each in stated.target_savings), 1)
            ),
        ),
        rows=tuple(rows),
        totals=(),
        dimensions=("multiplier",),
        notes=tuple(
            said(lambda locale, key=key: word(key, locale))
            for key, holds in (
                ("plan.never_pays", any(each.break_even_per_day is None for each in found)),
                ("plan.tokens_to_go", bool(targets)),
            )
            if holds
        ),
    )
