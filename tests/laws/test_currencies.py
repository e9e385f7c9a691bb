"""Currencies never mix: a cost counts at a rate, or the whole hold does, and never its digits."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.budgets.hold_size import rate_between
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.allowance import BudgetMeasure
from tokonomi.ledger.hold import Held, Part
from tokonomi.money import CURRENCIES, ExchangeRate, Money
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.usage import Usage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CODES = st.sampled_from(sorted(CURRENCIES))
AMOUNTS = st.integers(0, 10**15)


@st.composite
def rates(draw: st.DrawFn) -> ExchangeRate:
    base, quote = draw(st.permutations(sorted(CURRENCIES)))[:2]
    rate = draw(st.fractions(Fraction(1, 1_000), 100_000).filter(lambda each: each > 0))
    return ExchangeRate(base, quote, rate, date(2026, 11, 1), "a law")


def ended(cost: Charge | Unpriced, exposure: Money | None) -> Call:
    return Call(
        intent=Intent(id="r.1", at=NOW, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=Usage(at=NOW, output=1),
        cost=cost,
        status=Status.FAILED if isinstance(cost, Unpriced) else Status.OK,
        exposure=exposure,
    )


@given(cost=AMOUNTS, of=CODES, budget=CODES, known=st.lists(rates(), max_size=3), hold=AMOUNTS)
def test_a_cost_counts_at_a_rate_or_the_whole_hold_is_taken_as_exposed(
    cost: int, of: str, budget: str, known: Sequence[ExchangeRate], hold: int
) -> None:
    held = Held("budget b", 1, (Part(1, hold),))
    done = BudgetMeasure(budget, known).captured(held, ended(Charge("row", of, cost, ()), None))
    used = sum(part.amount for part in done.parts) + done.overrun
    exposed = sum(part.amount for part in done.exposed)
    rate = rate_between(known, of, budget)
    if of == budget:
        assert (used, exposed) == (cost, 0)
    elif rate is None:
        assert (used, exposed, done.overrun) == (0, hold, 0)
    else:
        assert (used, exposed) == (rate.convert(Money(cost, of)).sub_units, 0)


@given(exposure=AMOUNTS, of=CODES, budget=CODES, known=st.lists(rates(), max_size=3), hold=AMOUNTS)
def test_an_exposure_never_takes_less_than_it_is_worth_or_more_than_was_held(
    exposure: int, of: str, budget: str, known: Sequence[ExchangeRate], hold: int
) -> None:
    held = Held("budget b", 1, (Part(1, hold),))
    call = ended(Unpriced("timed out"), Money(exposure, of))
    done = BudgetMeasure(budget, known).captured(held, call)
    exposed = sum(part.amount for part in done.exposed)
    rate = rate_between(known, of, budget)
    assert (done.parts, done.overrun) == ((), 0)
    if of != budget and rate is None:
        assert exposed == hold
        return
    exact = Money(exposure, of).fraction() * (1 if rate is None or of == budget else rate.rate)
    assert exposed <= hold
    assert exposed == hold or Money(exposed, budget).fraction() >= exact
