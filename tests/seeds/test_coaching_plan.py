"""The coaching app's template gives the figures of the document that it comes from."""

import pytest

from tokonomi.money import Money
from tokonomi.plans import Plan


def test_a_month_costs_what_the_document_says() -> None:
    month = Plan.template("coaching-app").month
    assert month.cost == Money(8_020_000_000_000, "USD")
    assert month.token_cost == month.cost


@pytest.mark.parametrize("users", [0, 250, 500, 1_000, 12_345])
def test_a_month_grows_with_its_users_exactly(users: int) -> None:
    plan = Plan.template("coaching-app").with_values({"volume.users": str(users)})
    assert plan.month.cost == Money(8_020_000_000_000 * users // 500, "USD")
