"""What an account is granted follows its rule, whatever its history."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tokonomi.ledger.account import Balance, grant_under

AMOUNTS = st.integers(0, 1_000)


def granted(balance: Balance, *, limit: int, floor: int | None) -> Balance:
    """The balance after its rule was followed."""
    change = grant_under(balance, limit=limit, floor=floor) - balance.granted
    return replace(
        balance,
        credits_posted=balance.credits_posted + max(change, 0),
        debits_posted=balance.debits_posted + max(-change, 0),
        withdrawn=balance.withdrawn + max(-change, 0),
        floor=floor,
    )


@given(
    first=st.tuples(AMOUNTS, AMOUNTS),
    then=st.tuples(AMOUNTS, AMOUNTS),
    spent=AMOUNTS,
    held=AMOUNTS,
)
def test_what_is_available_depends_on_the_rule_the_spend_and_the_holds_alone(
    first: tuple[int, int], then: tuple[int, int], spent: int, held: int
) -> None:
    used = Balance(debits_posted=spent, debits_pending=held, floor=None)
    was = granted(used, limit=first[0], floor=-first[1])
    now = granted(was, limit=then[0], floor=-then[1])
    assert now.available == max(then[0] + then[1] - spent - held, 0)
    assert (now.spent, now.debits_pending) == (spent, held)


@given(limit=AMOUNTS, spent=AMOUNTS, held=AMOUNTS)
def test_without_a_floor_the_grant_is_the_limit(limit: int, spent: int, held: int) -> None:
    used = Balance(debits_posted=spent, debits_pending=held, floor=None)
    assert granted(used, limit=limit, floor=None).granted == limit
