"""Model names of clients, and where they lead."""

import pytest

from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.wire_errors import WireError
from tokonomi.routing.alias import Alias, Target
from tokonomi.routing.provider import Provider, Timeouts

A, B = Provider(base_url="https://a/v1", price_as="openai"), Provider(base_url="https://b/v1")
QUICK = Timeouts(first_byte=2.0)


def one(provider: str, model: str = "") -> Alias:
    return Alias(targets=(Target(provider=provider, model=model),))


ALIASES = Aliases(
    {
        "house": one("a", "gpt-4o-mini"),
        "gpt-4o": one("a"),
        "b/*": one("b"),
        "b/fast/*": one("a"),
        "safe/*": Alias(
            targets=(Target(provider="a"), Target(provider="b", timeouts=QUICK)), attempts=2
        ),
    },
    {"a": A, "b": B},
)


@pytest.mark.parametrize(
    ("alias", "provider", "model", "label", "price_as"),
    [
        ("house", "a", "gpt-4o-mini", "house", "openai"),
        ("gpt-4o", "a", "gpt-4o", "gpt-4o", "openai"),
        ("b/mistral/large", "b", "mistral/large", "b/*", "b"),
        ("b/fast/x", "a", "x", "b/fast/*", "openai"),
    ],
)
def test_a_name_leads_to_its_provider_and_its_model(
    alias: str, provider: str, model: str, *, label: str, price_as: str
) -> None:
    [target] = ALIASES.resolve(alias).targets
    assert (target.name, target.model, target.label, target.price_as) == (
        provider,
        model,
        label,
        price_as,
    )


def test_a_chain_has_all_its_targets_each_with_its_own_terms() -> None:
    chain = ALIASES.resolve("safe/gpt-4o")
    assert [(each.name, each.model, each.label) for each in chain.targets] == [
        ("a", "gpt-4o", "safe/*"),
        ("b", "gpt-4o", "safe/*"),
    ]
    assert [each.provider.timeouts for each in chain.targets] == [Timeouts(), QUICK]
    assert (chain.label, chain.terms.attempts) == ("safe/*", 2)


@pytest.mark.parametrize("alias", ["", "gpt-4", "b/", "B/x", "*"])
def test_a_name_that_is_not_configured_is_refused(alias: str) -> None:
    with pytest.raises(WireError) as refused:
        ALIASES.resolve(alias)
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")


def test_a_refusal_names_the_nearest_and_does_not_grow_with_what_was_asked() -> None:
    with pytest.raises(WireError, match="gpt-4o"):
        ALIASES.resolve("gpt-4")
    with pytest.raises(WireError) as refused:
        ALIASES.resolve("x" * 100_000)
    assert len(refused.value.message) < 500


def test_without_any_alias_the_refusal_says_what_to_add() -> None:
    with pytest.raises(WireError, match=r"\[models\]"):
        Aliases({}, {}).resolve("x")
