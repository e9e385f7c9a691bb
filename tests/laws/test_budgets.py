"""Laws of budgets: what is written reads back, subjects never collide, alerts fire once, and a
capture never exceeds its hold by a conversion."""

import itertools
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.budgets.alerts import AlertKey, Basis, Standing, due_alerts
from tokonomi.budgets.hold_size import HoldSize, Target, converted_up, hold_size
from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.scope import SCOPE_NAMES, Route, Scope, subject_of, values_of
from tokonomi.budgets.table import (
    budget_from_table,
    budget_to_table,
    share_from_text,
    share_to_text,
)
from tokonomi.budgets.window import Period, Span, Window
from tokonomi.calls import Dimensions
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.charge import Charge, charge
from tokonomi.pricing.row import Meter, PriceRow, Rate
from tokonomi.usage import Usage

NOON = datetime(2026, 1, 30, 12, tzinfo=UTC)
ZONES = ("UTC", "Asia/Jakarta")

values = st.text(alphabet="ab:,=% é.", max_size=4)
shares = st.fractions(min_value=Fraction(1, 1000), max_value=3, max_denominator=1000)
rising = st.lists(shares, max_size=4, unique=True).map(lambda found: tuple(sorted(found)))
amounts = st.integers(0, 10**18).map(lambda units: Money(units, "IDR"))
names = st.sampled_from(SCOPE_NAMES) | values.filter(bool).map(lambda tag: f"tag:{tag}")
windows = st.one_of(
    st.sampled_from([Window(period=period) for period in Period]),
    st.builds(Window, period=st.just(Period.WEEK), weekday=st.integers(0, 6)),
    st.builds(Window, period=st.just(Period.MONTH), month_day=st.integers(1, 31)),
)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    chosen = draw(st.lists(names, max_size=5, unique=True))
    fixed = draw(st.integers(0, len(chosen)))
    return Scope.of({name: draw(values.filter(bool)) for name in chosen[:fixed]}, chosen[fixed:])


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    mode = draw(st.sampled_from(Mode))
    amount = draw(amounts if mode is Mode.SOFT else st.none() | amounts)
    return Budget(
        id=draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)),
        name=draw(st.text(max_size=5)),
        scope=draw(scopes()),
        window=draw(windows),
        zone=draw(st.sampled_from(ZONES)),
        currency="IDR",
        amount=amount,
        mode=mode,
        overshoot=draw(amounts) if mode is Mode.SOFT else None,
        per_request=None if mode is Mode.NOTIFY else draw(st.none() | amounts),
        alerts=() if amount is None else draw(rising),
        forecast_alerts=() if amount is None else draw(rising),
    )


@given(budgets())
def test_a_budget_that_is_written_reads_back_as_itself(budget: Budget) -> None:
    assert budget_from_table(budget_to_table(budget), zones=ZONES) == budget


@given(st.fractions(min_value=0, max_value=10, max_denominator=10**15))
def test_a_share_that_is_written_reads_back_exactly(share: Fraction) -> None:
    assert share_from_text(share_to_text(share)) == share


dimensions = st.builds(
    Dimensions,
    project=values,
    feature=values,
    user=values,
    key_id=values,
    tags=st.dictionaries(values.filter(bool), values, max_size=2).map(
        lambda tags: tuple(sorted(tags.items()))
    ),
)
routes = st.builds(Route, model=values, provider=values)


@given(st.lists(names, max_size=4, unique=True), dimensions, routes, values)
def test_a_subject_spells_exactly_the_values_that_it_stands_for(
    each: list[str], asked: Dimensions, route: Route, organisation: str
) -> None:
    subject = subject_of(Scope.of(each=each), asked, route=route, organisation=organisation)
    assert subject is not None
    outside = {"organisation": organisation, "model": route.model, "provider": route.provider}
    assert values_of(subject) == tuple(
        (name, outside[name] if name in outside else asked.named(name)) for name in sorted(each)
    )


parts = st.tuples(st.from_regex(r"[a-z0-9_-]{1,3}", fullmatch=True), values, st.booleans())


@given(parts, parts)
def test_two_accounts_share_a_name_only_if_they_are_one(
    one: tuple[str, str, bool], two: tuple[str, str, bool]
) -> None:
    def name(of: tuple[str, str, bool]) -> str:
        subject = subject_of(
            Scope.of(each=["user"]), Dimensions(user=of[1]), route=Route(model="", provider="")
        )
        assert subject is not None
        return account_name(of[0], subject, NOON + timedelta(days=of[2]))

    assert (name(one) == name(two)) == (one == two)


@given(st.lists(st.integers(0, 400), max_size=12), rising, rising)
def test_however_spend_grows_each_share_that_it_reaches_is_told_exactly_once(
    steps: list[int], alerts: tuple[Fraction, ...], forecasts: tuple[Fraction, ...]
) -> None:
    month = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    budget = Budget(
        id="team",
        window=Window(period=Period.MONTH),
        currency="USD",
        amount=Money(1_000, "USD"),
        alerts=alerts,
        forecast_alerts=forecasts,
    )
    told: list[AlertKey] = []
    for spent in itertools.accumulate(steps):
        standing = Standing(subject="all", span=month, spent=Money(spent, "USD"))
        due = due_alerts(budget, standing, now=month.start + timedelta(days=15), fired=told)
        told += [alert.key for alert in due]
    total = sum(steps)
    reached = {share for share in alerts if total >= share * 1_000}
    heading = {share for share in forecasts if 2 * total >= share * 1_000}
    assert len(told) == len(set(told))
    assert {key.share for key in told if key.basis is Basis.SPENT} == (reached if total else set())
    assert {key.share for key in told if key.basis is Basis.FORECAST} == (
        heading if total else set()
    )


rates = st.builds(
    ExchangeRate,
    base=st.just("USD"),
    quote=st.just("IDR"),
    rate=st.fractions(min_value=Fraction(1, 10**6), max_value=20_000),
    on=st.just(date(2026, 1, 30)),
    source=st.just("a law"),
)


@given(st.integers(0, 10**15), st.integers(0, 10**15), rates)
def test_a_capture_half_up_never_exceeds_a_hold_that_was_rounded_up(
    cost: int, more: int, rate: ExchangeRate
) -> None:
    captured = rate.convert(Money(cost, "USD"))
    held = converted_up(Money(cost + more, "USD"), rate)
    assert captured <= held
    assert held.fraction() - rate.convert_exactly(Money(cost + more, "USD")) < Fraction(1, 10**8)


@st.composite
def priced_targets(draw: st.DrawFn) -> Target:
    def rate(currency: str) -> Rate:
        return Rate.of(f"{draw(st.integers(0, 99))}e-6", per=1, currency=currency)

    rows = [
        PriceRow(
            id=f"row {number}",
            provider="provider",
            model="model",
            currency=currency,
            source="a law",
            rates={Meter.INPUT: rate(currency), Meter.OUTPUT: rate(currency)},
        )
        for number, currency in enumerate(
            draw(st.lists(st.sampled_from(["USD", "IDR"]), min_size=1, max_size=2))
        )
    ]
    bounds = Bounds(
        input_tokens=draw(st.integers(0, 50)),
        output_tokens=draw(st.integers(0, 50)),
        choices=draw(st.integers(1, 2)),
    )
    return Target(name="target", rows=tuple(rows), bounds=bounds)


@given(st.lists(priced_targets(), min_size=1, max_size=3), rates, st.integers(1, 3), st.data())
def test_whatever_way_a_request_takes_its_captures_fit_its_hold(
    targets: list[Target], rate: ExchangeRate, attempts: int, data: st.DataObject
) -> None:
    held = hold_size(targets, currency="IDR", rates=[rate], billed_attempts=attempts)
    assert isinstance(held, HoldSize)
    captured = Money(0, "IDR")
    for _ in range(attempts):
        target = data.draw(st.sampled_from(targets))
        row = data.draw(st.sampled_from(target.rows))
        usage = Usage(
            at=NOON,
            uncached_input=data.draw(st.integers(0, target.bounds.input_tokens)),
            output=data.draw(st.integers(0, target.bounds.all_output_tokens)),
        )
        cost = charge(usage, row)
        assert isinstance(cost, Charge)
        captured += cost.total if row.currency == "IDR" else rate.convert(cost.total)
    assert captured <= held.money
