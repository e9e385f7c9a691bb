"""A wallet that runs low or empty is told once, until it is topped up."""

from tokonomi.credits.notices import Level, Notice, NoticeKey, due_notice

LOW = NoticeKey("default:user:ani", Notice.LOW, "payment/1")
EMPTY = NoticeKey("default:user:ani", Notice.EXHAUSTED, "payment/1")


def level(balance: int, newest: str = "payment/1", *, refused: bool = False) -> Level:
    return Level(wallet="default:user:ani", balance=balance, newest=newest, refused=refused)


def test_a_wallet_above_its_mark_is_silent() -> None:
    assert due_notice(level(10_001), low_at=10_000, fired=()) is None


def test_a_wallet_at_its_mark_is_low_once() -> None:
    assert due_notice(level(10_000), low_at=10_000, fired=()) == LOW
    assert due_notice(level(9_000), low_at=10_000, fired=[LOW]) is None


def test_an_empty_wallet_is_exhausted_once_and_no_longer_low() -> None:
    assert due_notice(level(0), low_at=10_000, fired=()) == EMPTY
    assert due_notice(level(0), low_at=10_000, fired=[EMPTY]) is None


def test_a_request_refused_for_lack_of_credits_exhausts_a_wallet_with_a_rest() -> None:
    assert due_notice(level(500, refused=True), low_at=None, fired=[LOW]) == EMPTY


def test_a_top_up_makes_the_notices_fire_anew() -> None:
    again = NoticeKey("default:user:ani", Notice.LOW, "payment/2")
    assert due_notice(level(9_000, "payment/2"), low_at=10_000, fired=[LOW, EMPTY]) == again


def test_without_a_mark_only_an_empty_wallet_is_told() -> None:
    assert due_notice(level(1), low_at=None, fired=()) is None
    assert due_notice(level(-1), low_at=None, fired=()) == EMPTY
