from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.routing.alias import Target
from tokonomi.routing.breaker import (
    OPEN_TO_ALL,
    Breaker,
    BreakerRules,
    Gate,
    Outcomes,
    Phase,
    breaker_name,
    closed_by_hand,
    decided,
    gate,
    opened_by_hand,
)

NOON: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULES: Final = BreakerRules()
FAILING: Final = Outcomes(calls=10, failures=5)
PROBE_FAILED: Final = Outcomes(probes_failed=1)
PROBE_PASSED: Final = Outcomes(probes_passed=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


OPENED: Final = Breaker(Phase.OPEN, NOON, NOON + seconds(15), 1, why="5 of 10 calls failed")


def end_of(breaker: Breaker) -> datetime:
    assert breaker.until is not None
    return breaker.until


@pytest.mark.parametrize(
    "seen", [Outcomes(), Outcomes(9, 9), Outcomes(10, 4), Outcomes(1000, 499)], ids=str
)
def test_a_breaker_stays_closed_while_calls_are_few_or_most_of_them_go_well(seen: Outcomes):
    assert decided(Breaker(), seen, RULES, NOON) == Breaker()


def test_no_failure_opens_nothing_even_where_any_share_would():
    rules = BreakerRules(minimum_calls=0, failure_share=0.0)
    assert decided(Breaker(), Outcomes(5, 0), rules, NOON) == Breaker()


def test_a_breaker_opens_when_the_share_of_the_least_calls_has_failed():
    assert decided(Breaker(), FAILING, RULES, NOON) == OPENED
    assert [OPENED.phase(NOON + seconds(each)) for each in (0, 14.9, 15)] == [
        Phase.OPEN,
        Phase.OPEN,
        Phase.HALF_OPEN,
    ]


def test_a_passed_probe_closes_it_and_a_failed_one_opens_it_for_twice_as_long_up_to_a_cap():
    half_open = NOON + seconds(15)
    closed = decided(OPENED, PROBE_PASSED, RULES, half_open)
    assert closed == Breaker(Phase.CLOSED, half_open, openings=1, why="its probe passed")
    breaker, lengths = OPENED, list[float]()
    for _ in range(8):
        now = end_of(breaker)
        breaker = decided(breaker, PROBE_FAILED, RULES, now)
        lengths.append((end_of(breaker) - now).total_seconds())
    assert lengths == [30, 60, 120, 240, 480, 600, 600, 600]
    assert breaker.why == "its probe failed"


def test_of_two_probes_the_failed_one_decides():
    both = PROBE_PASSED + PROBE_FAILED
    assert decided(OPENED, both, RULES, end_of(OPENED)).stored is Phase.OPEN


def test_what_calls_met_that_left_before_it_opened_changes_an_open_breaker_no_more():
    for now in (NOON + seconds(1), NOON + seconds(20)):
        assert decided(OPENED, Outcomes(100, 100), RULES, now) == OPENED


def test_a_call_before_its_time_is_over_may_close_it_and_never_opens_it_for_longer():
    early = NOON + seconds(5)
    assert decided(OPENED, PROBE_FAILED, RULES, early) == OPENED
    assert decided(OPENED, PROBE_PASSED, RULES, early).stored is Phase.CLOSED


def test_a_breaker_that_opens_soon_after_it_closed_opens_for_longer_and_later_begins_anew():
    closed = decided(OPENED, PROBE_PASSED, RULES, NOON)
    soon, later = NOON + seconds(599), NOON + seconds(600)
    assert end_of(decided(closed, FAILING, RULES, soon)) - soon == seconds(30)
    assert end_of(decided(closed, FAILING, RULES, later)) - later == seconds(15)


def test_a_probe_is_free_when_its_breaker_is_half_open_and_no_other_is_under_way():
    over = end_of(OPENED)
    probed = Breaker(Phase.OPEN, NOON, over, 1, probe_until=over + seconds(60))
    assert not OPENED.probe_free(NOON)
    assert OPENED.probe_free(over)
    assert not probed.probe_free(over)
    assert probed.probe_free(over + seconds(60))


def test_a_gate_lets_the_probe_through_and_tells_the_others_when_it_opens():
    over = end_of(OPENED)
    assert gate(Breaker(), NOON, may_probe=False) == OPEN_TO_ALL
    assert gate(OPENED, NOON, may_probe=True) == Gate(lets=False, opens_at=over.timestamp())
    assert gate(OPENED, over, may_probe=False) == Gate(lets=False, opens_at=over.timestamp())
    assert gate(OPENED, over, may_probe=True).lets
    assert not gate(OPENED, over, may_probe=True).held


def test_a_breaker_that_a_person_opened_stays_open_until_a_person_closes_it():
    held = opened_by_hand(OPENED, NOON, lasting=None)
    assert held == Breaker(Phase.HELD, NOON, openings=1, why="opened by hand")
    assert gate(held, NOON, may_probe=True).held
    for seen in (FAILING, PROBE_PASSED, PROBE_FAILED):
        assert decided(held, seen, RULES, NOON + seconds(9999)) == held
    assert opened_by_hand(held, NOON, lasting=seconds(5)) == held
    assert closed_by_hand(NOON) == Breaker(Phase.CLOSED, NOON, why="closed by hand")


def test_a_breaker_may_be_opened_by_hand_for_a_time_and_never_for_less_than_it_is():
    opened = opened_by_hand(Breaker(), NOON, lasting=seconds(3600))
    assert (opened.stored, end_of(opened)) == (Phase.OPEN, NOON + seconds(3600))
    assert end_of(opened_by_hand(OPENED, NOON, lasting=seconds(1))) == end_of(OPENED)


def test_a_breaker_has_the_name_of_the_provider_and_of_its_model():
    assert breaker_name("writer", Target(provider="vercel", model="google/g")) == "vercel/google/g"
    assert breaker_name("gpt-4o", Target(provider="openai")) == "openai/gpt-4o"
    assert breaker_name("*", Target(provider="openai")) == "openai/*"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.sampled_from([FAILING, PROBE_FAILED, PROBE_PASSED, Outcomes(), None, seconds(7)]),
        )
    )
)
def test_no_news_ever_shortens_the_time_of_an_open_breaker(
    news: list[tuple[int, Outcomes | timedelta | None]],
):
    breaker, now = Breaker(), NOON
    for pause, said in news:
        now += seconds(pause)
        if isinstance(said, Outcomes):
            after = decided(breaker, said, RULES, now)
        else:
            after = opened_by_hand(breaker, now, lasting=said)
        if breaker.until is not None and after.until is not None:
            assert after.until >= breaker.until
        if after.until is not None and after != breaker and isinstance(said, Outcomes):
            assert seconds(15) <= after.until - now
        breaker = after
