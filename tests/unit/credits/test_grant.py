"""Grants: the order in which they burn, what they are worth, how they end and are paid back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from tokonomi.credits.grant import (
    Ending,
    Grant,
    Refund,
    Used,
    burn_order,
    credits_to_text,
    ending,
    refund,
    worth,
)
from tokonomi.errors import BadInput
from tokonomi.money import Money

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def rupiah(text: str) -> Money:
    return Money.parse(text, "IDR")


def sold(name: str, amount: int = 300_000, **others: object) -> Grant:
    plain = Grant(
        id=name, wallet="default:user:ani", amount=1, granted_at=START, paid=rupiah("80000")
    )
    return replace(plain, amount=amount, **others)


def given(name: str, amount: int = 10_000, **others: object) -> Grant:
    return sold(name, amount, **{"paid": None, "promotional": True, **others})


def test_grants_burn_in_one_order_on_every_machine() -> None:
    in_order = [
        sold("1 high priority, though it never ends", priority=10),
        given("2 promotional, ends first", expires_at=day(20)),
        given("3 promotional, ends later", expires_at=day(30)),
        given("4 promotional, never ends"),
        sold("5 paid, ends first", expires_at=day(20), granted_at=day(5)),
        sold("6 paid, ends later", expires_at=day(30), granted_at=day(1)),
        sold("7 paid, never ends, granted first", granted_at=day(2)),
        sold("8 paid, never ends, granted later", granted_at=day(3)),
        sold("9 the same, by id", granted_at=day(3)),
        given("a low priority, though promotional", priority=60, expires_at=day(12)),
    ]
    mixed = [*in_order[1::2], *reversed(in_order[::2])]
    assert burn_order(mixed, day(10)) == tuple(in_order)


def test_a_grant_is_used_from_its_beginning_until_before_its_end() -> None:
    grant = sold("g", granted_at=day(1), expires_at=day(3))
    seen = [burn_order([grant], at) for at in (day(0), day(1), day(3) - timedelta(microseconds=1))]
    assert seen == [(), (grant,), (grant,)]
    assert burn_order([grant], day(3)) == ()


def test_rp_80_000_over_300_credits_does_not_divide_and_is_spread_to_the_last_sub_unit() -> None:
    paper = sold("paper")
    parts = [worth(paper, at, at + 1_000) for at in range(0, 300_000, 1_000)]
    assert sum(part.sub_units for part in parts) == rupiah("80000").sub_units
    assert {part.sub_units for part in parts} == {26_666_666_666, 26_666_666_667}
    assert worth(paper, 0, 300_000) == rupiah("80000")
    assert worth(paper, 5, 5) == rupiah("0")


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (6, 5), (0, 300_001)])
def test_milli_credits_that_a_grant_does_not_have_are_worth_an_error(first: int, last: int) -> None:
    with pytest.raises(BadInput, match="has no milli-credits"):
        worth(sold("paper"), first, last)


def test_a_promotion_was_not_paid_and_is_not_paid_back() -> None:
    with pytest.raises(BadInput, match="nothing was paid for it"):
        worth(given("gift"), 0, 1)
    with pytest.raises(BadInput, match="nothing was paid for it"):
        refund(given("gift"), Used(), 1)


def test_a_refund_is_bounded_by_what_is_left_and_not_on_hold() -> None:
    paper = sold("paper")
    assert refund(paper, Used(settled=100_000), 200_000) == Refund(
        200_000, worth(paper, 100_000, 300_000)
    )
    with pytest.raises(BadInput) as wrong:
        refund(paper, Used(settled=100_000, held=50_500), 150_000)
    assert str(wrong.value) == (
        "bad_input: grant paper has 149.5 credits left, 150 cannot be paid back. "
        "50.5 are on hold for calls in flight. Pay back up to 149.5."
    )
    with pytest.raises(BadInput) as nothing:
        refund(paper, Used(settled=300_000), 1)
    assert nothing.value.remedy == "Nothing is left to pay back."


@pytest.mark.parametrize("amount", [0, -1, 1])
def test_nothing_is_paid_back_from_a_grant_that_ended(amount: int) -> None:
    with pytest.raises(BadInput, match="has 0 credits left"):
        refund(sold("paper"), Used(settled=10, ended=True), amount)


def test_a_grant_ends_once_its_time_is_over_and_nothing_is_in_flight() -> None:
    grant = sold("g", 1_000, expires_at=day(30))
    assert ending(grant, Used(), day(29)) is None
    assert ending(grant, Used(held=1), day(30)) is None
    assert ending(grant, Used(ended=True), day(30)) is None
    assert ending(sold("for ever"), Used(), day(10_000)) is None
    on_time, late = (
        ending(grant, Used(settled=400), day(30)),
        ending(grant, Used(settled=400), day(45)),
    )
    assert on_time == late == Ending(breakage=600, kept=rupiah("48000"), rolled=None)


def test_what_rolls_over_keeps_what_was_paid_for_it_lives_as_long_again_and_rolls_once() -> None:
    grant = sold("g", 1_000, expires_at=day(30), rollover_cap=250, package="paper")
    over = ending(grant, Used(settled=400), day(31))
    rolled = Grant(
        id="rolled/g",
        wallet="default:user:ani",
        amount=250,
        granted_at=day(30),
        expires_at=day(60),
        paid=rupiah("20000"),
        package="paper",
    )
    assert over == Ending(breakage=350, kept=rupiah("28000"), rolled=rolled)
    assert ending(rolled, Used(), day(60)) == Ending(
        breakage=250, kept=rupiah("20000"), rolled=None
    )


def test_a_promotion_rolls_over_as_a_promotion() -> None:
    over = ending(given("g", 100, expires_at=day(5), rollover_cap=500), Used(settled=40), day(5))
    assert over is not None
    assert over.rolled is not None
    assert (over.breakage, over.kept) == (0, None)
    assert (over.rolled.amount, over.rolled.promotional, over.rolled.paid) == (60, True, None)


def test_a_grant_that_was_used_up_ends_without_breakage() -> None:
    grant = sold("g", 1_000, expires_at=day(30), rollover_cap=250)
    assert ending(grant, Used(settled=1_000), day(30)) == Ending(
        breakage=0, kept=rupiah("0"), rolled=None
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: sold("g", 0), "grant g of 0 milli-credits"),
        (lambda: sold("g", rollover_cap=-1), "-1 of which roll over"),
        (lambda: sold("g", expires_at=START), "ends at 2026-01-01T00:00:00+00:00, and begins at"),
        (
            lambda: sold("g", granted_at=START.astimezone(timezone(timedelta(hours=7)))),
            "2026-01-01T07:00:00+07:00 is not in UTC",
        ),
        (lambda: sold("g", rollover_cap=5), "rolls over and never ends"),
        (lambda: sold("g", promotional=True), "is promotional, and 80000 IDR was paid"),
        (lambda: sold("g", paid=None), "is sold, and nothing was paid"),
        (lambda: sold("g", paid=rupiah("-1")), "was sold for -1 IDR"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(wrong: Callable[[], Grant], text: str) -> None:
    with pytest.raises(BadInput) as refused:
        wrong()
    assert text in str(refused.value)


def test_a_grant_s_account_spells_wallet_and_grant_without_mixing_them_up() -> None:
    assert (
        sold("payment/a:grant:b").account == "wallet:default:user:ani:grant:payment/a%3Agrant%3Ab"
    )


@pytest.mark.parametrize(
    ("milli", "text"), [(0, "0"), (1, "0.001"), (300_000, "300"), (-50_500, "-50.5")]
)
def test_milli_credits_read_as_credits(milli: int, text: str) -> None:
    assert credits_to_text(milli) == text
