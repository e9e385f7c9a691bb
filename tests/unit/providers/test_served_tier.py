import pytest

from tokonomi.providers.served_tier import served_tier


@pytest.mark.parametrize(
    ("reported", "tier"),
    [
        (None, "standard"),
        ("", "standard"),
        ("default", "standard"),
        ("Standard", "standard"),
        ("on_demand", "standard"),
        ("flex", "flex"),
        ("ON_DEMAND_FLEX", "flex"),
        ("scale", "scale"),
        ("auto", "unknown"),
        (3, "unknown"),
        (["flex"], "unknown"),
    ],
)
def test_a_reported_tier_has_one_name_for_all_providers(reported: object, tier: str):
    assert served_tier(reported) == tier


def test_a_tier_that_nobody_knows_keeps_its_name_but_not_its_length():
    assert served_tier("ultra") == "ultra"
    assert served_tier("u" * 1000) == "u" * 40
