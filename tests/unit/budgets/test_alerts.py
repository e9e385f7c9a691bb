"""Alerts fire once for a share of a budget, a subject and a window."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from tokonomi.budgets.alerts import Alert, AlertKey, Basis, Standing, due_alerts
from tokonomi.budgets.limit import Budget
from tokonomi.budgets.window import Period, Span, Window
from tokonomi.money import Money

JUNE = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
JULY = Span(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC))
HALF, MOST, ALL = Fraction(1, 2), Fraction(4, 5), Fraction(1)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


TEAM = Budget(
    id="team",
    window=Window(period=Period.MONTH),
    currency="USD",
    amount=usd("100"),
    alerts=(HALF, MOST, ALL),
    forecast_alerts=(ALL,),
)


def standing(spent: str, span: Span = JUNE, subject: str = "all") -> Standing:
    return Standing(subject=subject, span=span, spent=usd(spent))


def shares(alerts: tuple[Alert, ...]) -> list[tuple[Basis, Fraction]]:
    return [(alert.key.basis, alert.key.share) for alert in alerts]


def test_an_alert_names_what_was_reached_and_what_is_left() -> None:
    due = due_alerts(TEAM, standing("50"), now=JUNE.start, fired=())
    key = AlertKey("team", "all", JUNE.start, Basis.SPENT, HALF)
    assert due == (Alert(key=key, reached=usd("50"), amount=usd("100"), left=usd("50")),)


def test_a_share_fires_at_the_last_sub_unit_and_not_before() -> None:
    below = Money(usd("50").sub_units - 1, "USD")
    almost = Standing(subject="all", span=JUNE, spent=below)
    assert due_alerts(TEAM, almost, now=JUNE.start, fired=()) == ()


def test_what_fired_stays_silent_until_the_next_share_the_next_window_or_another_subject() -> None:
    first = due_alerts(TEAM, standing("85"), now=JUNE.start, fired=())
    assert shares(first) == [(Basis.SPENT, HALF), (Basis.SPENT, MOST)]
    fired = {alert.key for alert in first}
    assert due_alerts(TEAM, standing("90"), now=JUNE.start, fired=fired) == ()
    assert shares(due_alerts(TEAM, standing("120"), now=JUNE.start, fired=fired)) == [
        (Basis.SPENT, ALL)
    ]
    july = due_alerts(TEAM, standing("50", JULY), now=JULY.start, fired=fired)
    other = due_alerts(TEAM, standing("50", subject="user=ani"), now=JUNE.start, fired=fired)
    assert shares(july) == shares(other) == [(Basis.SPENT, HALF)]


def test_the_forecast_fires_beside_the_spend_once_it_may_speak() -> None:
    early, later = JUNE.start + timedelta(days=2), JUNE.start + timedelta(days=6)
    assert due_alerts(TEAM, standing("30"), now=early, fired=()) == ()
    due = due_alerts(TEAM, standing("30"), now=later, fired=())
    assert shares(due) == [(Basis.FORECAST, ALL)]
    assert (due[0].reached, due[0].left) == (usd("150"), usd("70"))
    assert due_alerts(TEAM, standing("40"), now=later, fired={due[0].key}) == ()


def test_a_budget_of_nothing_alerts_at_the_first_spend_and_not_before_it() -> None:
    nothing = Budget(id="none", window=TEAM.window, currency="USD", amount=usd("0"), alerts=(HALF,))
    assert due_alerts(nothing, standing("0"), now=JUNE.start, fired=()) == ()
    assert shares(due_alerts(nothing, standing("0.01"), now=JUNE.start, fired=())) == [
        (Basis.SPENT, HALF)
    ]


def test_a_budget_without_an_amount_has_nothing_to_tell() -> None:
    open_ended = Budget(id="open", window=TEAM.window, currency="USD")
    assert due_alerts(open_ended, standing("1000"), now=JULY.start, fired=()) == ()
