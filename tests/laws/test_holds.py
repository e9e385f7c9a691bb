"""Laws of holds, on generated balances and demands."""

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.ledger.account import Balance
from tokonomi.ledger.hold import Demand, Held, Part, authorize, capture

AMOUNTS = st.integers(0, 1000)
BALANCES = st.dictionaries(
    st.integers(1, 6),
    st.builds(
        Balance,
        credits_posted=AMOUNTS,
        debits_posted=AMOUNTS,
        debits_pending=AMOUNTS,
        floor=st.one_of(st.none(), st.integers(-500, 0)),
    ),
    min_size=6,
    max_size=6,
)
DEMANDS = st.lists(
    st.builds(
        Demand,
        source=st.just("budget"),
        accounts=st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(tuple),
        amount=AMOUNTS,
    ),
    max_size=5,
)


@given(BALANCES, DEMANDS)
def test_no_account_that_takes_a_hold_falls_below_its_floor(
    balances: dict[int, Balance], demands: list[Demand]
) -> None:
    outcome = authorize(balances, demands)
    if isinstance(outcome, tuple):
        for part in (part for held in outcome for part in held.parts):
            balances[part.account] = balances[part.account].held(part.amount)
        touched = {part.account for held in outcome for part in held.parts}
        assert all((balances[it].available or 0) >= 0 for it in touched)


@given(BALANCES, DEMANDS)
def test_a_request_holds_every_demand_in_full_or_nothing(
    balances: dict[int, Balance], demands: list[Demand]
) -> None:
    outcome = authorize(balances, demands)
    if isinstance(outcome, tuple):
        assert [held.amount for held in outcome] == [demand.amount for demand in demands]
    else:
        assert outcome.available < outcome.needed


@given(BALANCES, DEMANDS)
def test_a_single_demand_is_refused_only_when_it_does_not_fit(
    balances: dict[int, Balance], demands: list[Demand]
) -> None:
    for demand in demands:
        free = [balances[account].available for account in demand.accounts]
        fits = any(f is None for f in free) or sum(max(f or 0, 0) for f in free) >= demand.amount
        assert isinstance(authorize(balances, [demand]), tuple) == (fits or demand.amount == 0)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 1000)), max_size=4), AMOUNTS)
def test_what_was_used_is_captured_or_overrun_to_the_last_unit(
    held: list[tuple[int, int]], used: int
) -> None:
    hold = Held("budget", 1, tuple(Part(account, amount) for account, amount in held))
    done = capture(hold, used)
    assert sum(part.amount for part in done.parts) + done.overrun == used
    assert sum(part.amount for part in done.parts) <= hold.amount
    assert done.overrun == 0 or sum(part.amount for part in done.parts) == hold.amount
