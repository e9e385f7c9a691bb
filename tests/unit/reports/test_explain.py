"""What `tokonomi explain` says of a call, by its stored columns."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import PriceRow
from tokonomi.reports.explain import explanation, opened_calls
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location
from tokonomi.storage.price_files import load_book
from tokonomi.storage.recorder import Recorder
from tokonomi.usage import Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)
NO_COST = Unpriced("why")


async def recorded(
    store: Path,
    usage: Usage,
    *,
    provider: str = "openai",
    models: tuple[str, str] = ("m", "m"),
    cost: Charge | Unpriced = NO_COST,
) -> None:
    """A call in a store; `models` are the one that was asked for and the one that served."""
    asked, served = models
    database = open_store(store)
    recorder = Recorder(store, workers.register(database, now=AT))
    intent = Intent(id="a.1", at=AT, dimensions=Dimensions(provider=provider), model=asked)
    await recorder.begin(intent)
    call = Call(intent=intent, model_served=served, usage=usage, cost=cost, status=Status.OK)
    await recorder.settle(call)
    await recorder.close()
    database.close()


def test_usage_keys_that_are_not_known_are_shown(tmp_path: Path) -> None:
    store = tmp_path / "tokonomi.db"
    asyncio.run(recorded(store, Usage(at=AT, unknown_keys=("dream_tokens", "details.dreams"))))
    [opened] = opened_calls(Location(store), "a.1", load_book())
    assert (
        "Reported but not known here, so not charged: dream_tokens,details.dreams"
        in explanation(opened).splitlines()
    )


@pytest.mark.parametrize(
    ("provider", "models", "priced_as"),
    [
        ("openai", ("gpt-4o-mini", "gpt-of-tomorrow"), "gpt-4o-mini"),
        ("openrouter", ("openai/gpt-5.1", "openai/gpt-5.1"), "openai/gpt-5.1:online"),
        ("openrouter", ("openai/gpt-5.1", "gpt-of-tomorrow"), "openai/gpt-5.1:online"),
    ],
    ids=["priced as asked for", "sold with a suffix", "sold with a suffix, priced as asked for"],
)
def test_the_source_of_a_price_is_shown_by_whatever_name_it_was_found(
    tmp_path: Path, provider: str, models: tuple[str, str], priced_as: str
) -> None:
    store, book = tmp_path / "tokonomi.db", load_book()
    usage = Usage(at=AT, uncached_input=10, output=1)
    row = book.row_at(provider, priced_as, AT)
    assert isinstance(row, PriceRow)
    cost = charge(usage, row)
    asyncio.run(recorded(store, usage, provider=provider, models=models, cost=cost))
    [opened] = opened_calls(Location(store), "a.1", book)
    assert opened.price == row
    assert f"  source: {row.source}" in explanation(opened).splitlines()


def test_a_row_that_left_the_price_book_is_said_to_have_left_it(tmp_path: Path) -> None:
    store, book = tmp_path / "tokonomi.db", load_book()
    usage = Usage(at=AT, uncached_input=10, output=1)
    row = book.row_at("openai", "gpt-4o-mini", AT)
    assert isinstance(row, PriceRow)
    gone = charge(usage, replace(row, id="a price list of before:openai/gpt-4o-mini"))
    asyncio.run(recorded(store, usage, models=("gpt-4o-mini", "gpt-4o-mini"), cost=gone))
    [opened] = opened_calls(Location(store), "a.1", book)
    assert opened.price is None
    assert "no longer in the price book of this version" in explanation(opened)
