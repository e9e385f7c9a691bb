"""Packages as data: the seed's three, and what is refused."""

from datetime import UTC, datetime
from fractions import Fraction
from importlib import resources

import pytest

from tokonomi.credits.grant import Grant
from tokonomi.credits.package import Offer, Package, offer_from_toml, purchase
from tokonomi.credits.weights import Weights
from tokonomi.errors import BadInput, BadMoney, NotFound
from tokonomi.money import Money

PAID_AT = datetime(2026, 1, 30, 9, tzinfo=UTC)
PAPER = """
[[package]]
id = "paper"
name = "Paper"
credits = 300
price = "80000"
currency = "IDR"
source = "seed 001"
"""


def shipped() -> Offer:
    file = resources.files("tokonomi").joinpath("catalogue", "packages.toml")
    return offer_from_toml(file.read_text("utf-8"), name="packages.toml")


def test_the_seed_s_three_packages_ship_with_their_credits_and_prices() -> None:
    offer = shipped()
    assert [(each.name, each.amount, each.price.format("id")) for each in offer.packages] == [
        ("Paper", 300_000, "Rp 80.000"),
        ("Extension S", 50_000, "Rp 25.000"),
        ("Extension M", 100_000, "Rp 50.000"),
    ]
    assert offer.weights == Weights(tokens_per_credit=1_000)


def test_a_package_is_found_by_its_id_and_a_near_one_is_suggested() -> None:
    assert shipped().package("extension-s").name == "Extension S"
    with pytest.raises(NotFound, match="extension-l") as wrong:
        shipped().package("extension-l")
    assert wrong.value.remedy.startswith('Did you mean "extension-')


def test_a_purchase_grants_the_package_once_for_its_payment() -> None:
    paper = shipped().package("paper")
    grant = purchase(paper, wallet="default:user:ani", payment_id="mid-77", at=PAID_AT)
    assert grant == Grant(
        id="payment/mid-77",
        wallet="default:user:ani",
        amount=300_000,
        granted_at=PAID_AT,
        paid=Money.parse("80000", "IDR"),
        package="paper",
    )


def test_a_package_with_everything_reads_as_it_is_written() -> None:
    text = PAPER + "expires_after_days = 30\npriority = 10\nrollover_credits = 20\n"
    offer = offer_from_toml(text, name="mine.toml")
    assert offer.packages == (
        Package(
            id="paper",
            name="Paper",
            amount=300_000,
            price=Money.parse("80000", "IDR"),
            source="seed 001",
            expires_after_days=30,
            priority=10,
            rollover_cap=20_000,
        ),
    )
    grant = purchase(offer.packages[0], wallet="w:1", payment_id="p", at=PAID_AT)
    assert grant.expires_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (grant.priority, grant.rollover_cap) == (10, 20_000)


def test_weights_are_read_exactly() -> None:
    text = (
        '[credit]\ntokens = 500\nweights = { output = "8", cache_read = "0.1", image_in = "1/3" }'
    )
    assert offer_from_toml(text, name="mine.toml").weights == Weights(
        tokens_per_credit=500,
        stated={
            "output": Fraction(8),
            "cache_read": Fraction(1, 10),
            "image_in": Fraction(1, 3),
        },
    )


def test_a_purchase_without_a_payment_id_is_refused() -> None:
    with pytest.raises(BadInput, match="without a payment id"):
        purchase(shipped().packages[0], wallet="default:user:ani", payment_id="", at=PAID_AT)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (PAPER.replace("credits", "credit"), "Did you mean"),
        (PAPER.replace('source = "seed 001"', ""), "Add source."),
        (PAPER.replace("300", '"many"'), "See docs/reference/credits.md"),
        (PAPER.replace("300", "0"), '"paper" of 0 credits for 80000 IDR, lasting for ever'),
        (PAPER.replace('"80000"', "-1"), "a price of 0 or more"),
        (PAPER.replace('id = "paper"', 'id = ""'), "Give it an id"),
        (PAPER + "expires_after_days = 0", "lasting 0 days"),
        (PAPER + "rollover_credits = 5", "lasting for ever, 5 of which roll over"),
        (PAPER + "expires_after_days = 5\nrollover_credits = -1", "-1 of which"),
        (PAPER + PAPER, "mine.toml has two packages paper"),
        ("[credit]\nweights = { output = '-1' }", "the weight of output is '-1'"),
        ("[credit]\nweights = { output = '1/0' }", "the weight of output is '1/0'"),
        ("[credit]\nweights = { outptu = 2 }", 'Did you mean "output"?'),
        ("[credit]\ntokens = 0", "0 tokens in a credit"),
        ("[credit", "mine.toml is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place_and_what_to_do(text: str, part: str) -> None:
    with pytest.raises(BadInput) as wrong:
        offer_from_toml(text, name="mine.toml")
    assert part in str(wrong.value)


def test_a_price_that_is_no_amount_is_refused() -> None:
    with pytest.raises(BadMoney, match="not a decimal"):
        offer_from_toml(PAPER.replace("80000", "cheap"), name="mine.toml")
