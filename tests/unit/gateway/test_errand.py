"""A request and its attempts: ids, who bills, and which way it took."""

from datetime import UTC, datetime

from tokonomi.calls import Dimensions
from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.endpoints import CHAT
from tokonomi.gateway.errand import Errand
from tokonomi.gateway.request import parse
from tokonomi.routing.alias import Alias, Target
from tokonomi.routing.provider import Provider

PROVIDERS = {
    "openai-eu": Provider(base_url="https://a", price_as="openai"),
    "b": Provider(base_url="https://b"),
}
CHAIN = Alias(targets=(Target(provider="openai-eu", model="gpt-4o-mini"), Target(provider="b")))


def test_each_attempt_has_its_own_id_provider_model_and_way() -> None:
    errand = Errand(
        asked=Asked(id="r"),
        at=datetime(2026, 11, 28, tzinfo=UTC),
        dimensions=Dimensions(project="research", alias="m"),
        request=parse(b'{"model": "m"}'),
        endpoint=CHAT,
        destination=Aliases({"m": CHAIN}, PROVIDERS).resolve("m"),
        input_bound=7,
    )
    first, second = (
        errand.attempt(number, place, route=route).intent
        for number, place, route in ((1, 0, "primary"), (2, 1, "fallback"))
    )
    assert (first.id, first.model, first.dimensions.provider) == ("r.1", "gpt-4o-mini", "openai")
    assert (second.id, second.model, second.dimensions.provider) == ("r.2", "m", "b")
    assert (first.dimensions.route, second.dimensions.route) == ("primary", "fallback")
    assert first.dimensions.project == second.dimensions.project == "research"
