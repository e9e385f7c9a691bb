"""Holds: all or nothing, down to the floor and never below it."""

from tokonomi.ledger.account import Balance
from tokonomi.ledger.hold import (
    Captured,
    Demand,
    Held,
    Part,
    Refusal,
    authorize,
    capture,
)


def demand(amount: int, *accounts: int, source: str = "budget team") -> Demand:
    return Demand(source=source, accounts=accounts, amount=amount)


def test_a_hold_takes_from_the_accounts_in_order() -> None:
    balances = {1: Balance(credits_posted=50), 2: Balance(credits_posted=100)}
    assert authorize(balances, [demand(80, 1, 2)]) == (
        Held("budget team", 2, (Part(1, 50), Part(2, 30))),
    )


def test_what_is_pending_counts_as_gone() -> None:
    balances = {1: Balance(credits_posted=100, debits_posted=30, debits_pending=50)}
    assert authorize(balances, [demand(21, 1)]) == Refusal(
        source="budget team", needed=21, available=20, reserved=50, spent=30, limit=100
    )


def test_a_refusal_of_one_demand_holds_nothing_anywhere() -> None:
    balances = {1: Balance(credits_posted=100), 2: Balance(credits_posted=5)}
    outcome = authorize(balances, [demand(10, 1), demand(10, 2, source="wallet ani")])
    assert isinstance(outcome, Refusal)
    assert (outcome.source, outcome.available) == ("wallet ani", 5)


def test_two_demands_on_one_account_add_up() -> None:
    outcome = authorize({1: Balance(credits_posted=15)}, [demand(10, 1), demand(10, 1)])
    assert isinstance(outcome, Refusal)
    assert outcome.available == 5


def test_a_budget_of_zero_refuses_the_smallest_amount() -> None:
    outcome = authorize({1: Balance(credits_posted=0)}, [demand(1, 1)])
    assert isinstance(outcome, Refusal)
    assert not outcome.only_holds_block


def test_a_free_request_passes_an_exhausted_budget() -> None:
    balances = {1: Balance(credits_posted=5, debits_posted=9)}
    assert authorize(balances, [demand(0, 1)]) == (Held("budget team", 1, ()),)


def test_an_account_without_floor_never_refuses() -> None:
    balances = {1: Balance(floor=None)}
    assert authorize(balances, [demand(10**15, 1)]) == (Held("budget team", 1, (Part(1, 10**15),)),)


def test_a_soft_floor_lets_spend_pass_the_limit_by_its_overshoot_only() -> None:
    balances = {1: Balance(credits_posted=100, debits_posted=100, floor=-20)}
    assert isinstance(authorize(balances, [demand(21, 1)]), Refusal)
    assert authorize(balances, [demand(20, 1)]) == (Held("budget team", 1, (Part(1, 20),)),)


def test_a_refusal_says_whether_waiting_helps() -> None:
    balances = {1: Balance(credits_posted=100, debits_pending=90)}
    outcome = authorize(balances, [demand(50, 1)])
    assert isinstance(outcome, Refusal)
    assert outcome.only_holds_block


def test_capture_takes_in_order_and_frees_the_rest() -> None:
    held = Held("wallet ani", 1, (Part(1, 50), Part(2, 30)))
    assert capture(held, used=60) == Captured(held=held, parts=(Part(1, 50), Part(2, 10)))


def test_capture_of_nothing_is_a_void() -> None:
    held = Held("wallet ani", 1, (Part(1, 50),))
    assert capture(held, used=0) == Captured(held=held, parts=())


def test_use_above_the_hold_is_an_overrun_and_not_a_larger_capture() -> None:
    held = Held("wallet ani", 1, (Part(1, 50),))
    assert capture(held, used=70) == Captured(held=held, parts=(Part(1, 50),), overrun=20)
