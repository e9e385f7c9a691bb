"""The price book: names, layers and instants."""

from datetime import UTC, datetime

import pytest

from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.contract import compile_contract
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.pricing.price_file import read_contract_file, read_price_file
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.storage.price_files import bundled_catalogue, bundled_overlay, load_book

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
BUNDLED = load_book()


def with_contract(text: str) -> PriceBook:
    contract = compile_contract("contract.toml", read_contract_file(text, "contract.toml"))
    return PriceBook(bundled_catalogue(), bundled_overlay(), contract)


def text_of(found: PriceRow | Unpriced, meter: Meter = Meter.INPUT) -> str:
    return found.rates[meter].text if isinstance(found, PriceRow) else found.reason


@pytest.mark.parametrize(
    ("provider", "name", "row_id", "how"),
    [
        ("openai", "gpt-5.1", "openai/gpt-5.1", ()),
        ("openai", "gpt-5.1-2025-11-13", "openai/gpt-5.1", ("an alias of gpt-5.1",)),
        (
            "openai",
            "gpt-5.1-20251113",
            "openai/gpt-5.1",
            ("its date written with dashes", "an alias of gpt-5.1"),
        ),
        (
            "openai",
            "gpt-5.1-2026-09-09",
            "openai/gpt-5.1",
            ("a dated snapshot of gpt-5.1 that no source lists apart",),
        ),
        ("openai", "openai/gpt-5.1", "openai/gpt-5.1", ("without the prefix openai/",)),
        ("", "openai/gpt-5.1", "openai/gpt-5.1", ("openai/ names the provider",)),
        ("", "gpt-5.1", "openai/gpt-5.1", ("its name is one of openai's",)),
        ("Azure", "gpt-5.1", "openai/gpt-5.1", ("azure sells it at openai's price",)),
        (
            "vercel-ai-gateway",
            "openai/gpt-5.1",
            "openai/gpt-5.1",
            ("vercel sells openai's models at their list price",),
        ),
        ("openrouter", "openai/gpt-5.1", "openrouter/openai/gpt-5.1@2026-10-19", ()),
        (
            "openrouter",
            "openrouter/openai/gpt-5.1",
            "openrouter/openai/gpt-5.1@2026-10-19",
            ("without the prefix openrouter/",),
        ),
        (
            "openrouter",
            "openai/gpt-5.1:floor",
            "openrouter/openai/gpt-5.1@2026-10-19",
            (":floor does not change the price",),
        ),
    ],
)
def test_a_name_leads_to_its_row_and_tells_how(
    provider: str, name: str, row_id: str, how: tuple[str, ...]
) -> None:
    row = BUNDLED.row_at(provider, name, AT)
    entry = BUNDLED.find(provider, name)
    assert isinstance(row, PriceRow)
    assert entry is not None
    assert (row.id, entry.how) == (f"genai-prices-0.2.3:{row_id}", how)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-5.1-turbo-ultra"),
        ("nobody", "gpt-5.1"),
        ("", "nobody/gpt-5.1"),
        ("", "no-such-family"),
        ("openrouter", "openai/gpt-5.1:zap"),
        ("openrouter", "nobody/invented:free"),
        ("openrouter", "nobody/invented:online"),
        ("vercel", "gpt-5.1"),
        ("vercel", "openai/gpt-9"),
        ("google", "gemini-9.9-flash-20261101"),
        ("", "gpt-9.9"),
    ],
)
def test_a_name_that_no_source_knows_is_not_guessed(provider: str, name: str) -> None:
    assert BUNDLED.find(provider, name) is None
    assert text_of(BUNDLED.row_at(provider, name, AT)).startswith("no price source knows")


def test_a_free_variant_of_a_known_model_is_free_also_when_it_is_new() -> None:
    entry = BUNDLED.find("openrouter", "openai/gpt-5.1:free:online")
    row = BUNDLED.row_at("openrouter", "openai/gpt-5.1:free:online", AT)
    assert entry is not None
    assert entry.asked == "openrouter/openai/gpt-5.1:free:online"
    assert isinstance(row, PriceRow)
    assert row.id == "openrouter/openai/gpt-5.1:free:online"
    assert (text_of(row), text_of(row, Meter.REQUEST)) == ("0", "20")


def test_the_card_of_a_model_is_filled_from_every_source() -> None:
    flash = BUNDLED.find("deepseek", "deepseek-v4-flash")
    gpt = BUNDLED.find("openai", "gpt-5.1")
    assert flash is not None
    assert gpt is not None
    assert (flash.card.context_window, flash.card.max_output) == (1_000_000, 384_000)
    assert (gpt.card.display_name, gpt.card.context_window, gpt.card.max_output) == (
        "GPT-5.1",
        400_000,
        None,
    )


def test_a_contract_goes_over_the_overlay_and_the_overlay_over_the_catalogue() -> None:
    book = with_contract(
        """
        [[model]]
        provider = "deepseek"
        id = "deepseek-v4-flash"
        source = "our contract"
        [[model.price]]
        from = 2026-10-01
        to = 2026-11-01
        source = "our contract of 2026-09"
        rates = { input = "0.11", output = "0.44" }
        """
    )
    peak = datetime(2026, 10, 12, 2, tzinfo=UTC)
    assert text_of(book.row_at("deepseek", "deepseek-v4-flash", peak)) == "0.11"
    assert text_of(book.row_at("deepseek", "deepseek-v4-flash", AT.replace(hour=2))) == "0.30"
    catalogue_only = PriceBook(bundled_catalogue(), compile_overlay({}))
    saturday = datetime(2026, 10, 10, 2, tzinfo=UTC)
    assert text_of(catalogue_only.row_at("deepseek", "deepseek-v4-flash", saturday)) == "0.3"
    assert text_of(BUNDLED.row_at("deepseek", "deepseek-v4-flash", saturday)) == "0.15"


def test_a_contract_for_one_snapshot_has_its_models_other_tiers() -> None:
    book = with_contract(
        """
        [[model]]
        provider = "openai"
        id = "gpt-5.1-2025-11-13"
        source = "our contract"
        [[model.price]]
        source = "our contract"
        rates = { input = "1", output = "8" }
        """
    )
    snapshot = "gpt-5.1-2025-11-13"
    assert text_of(book.row_at("openai", snapshot, AT)) == "1"
    assert text_of(book.row_at("openai", snapshot, AT, "flex")) == "0.625"
    assert text_of(book.row_at("openai", "gpt-5.1", AT)) == "1.25"


def test_a_discount_covers_models_by_pattern_from_the_base_rows() -> None:
    book = with_contract(
        """
        [[discount]]
        provider = "openai"
        model = "gpt-5*"
        off = "12.5%"
        from = 2026-11-01
        source = "our contract"
        """
    )
    row = book.row_at("openai", "gpt-5.1", AT)
    assert isinstance(row, PriceRow)
    assert (text_of(row), text_of(row, Meter.OUTPUT)) == ("1.09375", "8.75")
    assert row.source == "our contract, on genai-prices 0.2.3"
    assert row.id == "contract:genai-prices-0.2.3:openai/gpt-5.1@2026-11-01"
    october = datetime(2026, 10, 31, tzinfo=UTC)
    assert text_of(book.row_at("openai", "gpt-5.1", october)) == "1.25"
    assert text_of(book.row_at("openai", "gpt-5.1", AT, "flex")) == "0.546875"
    assert text_of(book.row_at("azure", "gpt-5.1", AT)) == "1.25"


def test_a_discount_at_a_reseller_is_the_resellers_own() -> None:
    book = with_contract(
        """
        [[discount]]
        provider = "azure"
        model = "*"
        factor = "0.5"
        source = "our contract"
        """
    )
    assert text_of(book.row_at("azure", "gpt-5.1", AT)) == "0.625"
    assert text_of(book.row_at("openai", "gpt-5.1", AT)) == "1.25"


def test_a_discount_on_the_overlay_beats_one_on_the_catalogue() -> None:
    book = with_contract(
        """
        [[discount]]
        provider = "deepseek"
        model = "*"
        off = "10%"
        source = "our contract"
        """
    )
    saturday = datetime(2026, 10, 10, 2, tzinfo=UTC)
    assert text_of(book.row_at("deepseek", "deepseek-v4-flash", saturday)) == "0.135"


def test_a_model_of_a_users_own_is_found_by_its_alias() -> None:
    book = with_contract(
        """
        [[model]]
        provider = "house"
        id = "large"
        aliases = ["Big"]
        context_window = 4_096
        source = "our machines"
        [[model.price]]
        source = "our machines"
        currency = "IDR"
        rates = { input = "3_000", output = "9000" }
        """.replace("3_000", "3000")
    )
    entry = book.find("house", "big")
    assert entry is not None
    assert (entry.model, entry.how, entry.card.context_window) == (
        "large",
        ("an alias of large",),
        4_096,
    )
    assert text_of(book.row_at("house", "large", AT)) == "3000"
    assert ("house", "large") in {(each.provider, each.model) for each in book.entries()}


def test_a_date_before_the_first_price_is_unpriced() -> None:
    text = """
    about = "a test"
    [[model]]
    provider = "p"
    id = "m"
    source = "s"
    [[model.price]]
    from = 2026-01-01
    to = 2026-02-01
    source = "s"
    rates = { input = "1" }
    [[model]]
    provider = "p"
    id = "card"
    source = "s"
    """
    overlay = compile_overlay({"f": read_price_file(text, "f")})
    book = PriceBook(Catalogue([], "1"), overlay)
    early, late = datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert text_of(book.row_at("p", "m", early)) == (
        "p/m has no standard price at 2025-12-31 00:00 UTC"
    )
    assert text_of(book.row_at("p", "m", datetime(2026, 1, 31, tzinfo=UTC))) == "1"
    assert text_of(book.row_at("p", "m", late)) == (
        "p/m has no standard price at 2026-02-01 00:00 UTC"
    )
    assert text_of(book.row_at("p", "m", late, batch=True)) == "p/m has no standard batch price"
    assert text_of(book.row_at("p", "card", late)) == "its sources list it without a price"


def test_hostile_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokonomi.pricing.book.CACHED_NAMES", 10)
    book = load_book()
    for number in range(25):
        book.row_at("openai", f"invented-{number}", AT)
    assert len(book._entries) <= 10  # pyright: ignore[reportPrivateUsage]
    assert len(book._schedules) <= 10  # pyright: ignore[reportPrivateUsage]
    assert text_of(book.row_at("openai", "gpt-5.1", AT)) == "1.25"


def test_every_model_is_listed_once_with_prices_or_a_reason() -> None:
    entries = [*BUNDLED.entries()]
    names = [(entry.provider, entry.model.lower()) for entry in entries]
    assert len(names) == len(set(names)) > 2_300
    assert all(bool(entry.rows) is not bool(entry.unpriced) for entry in entries)


def test_a_discount_that_leaves_no_price_is_told_and_makes_nothing_free() -> None:
    book = with_contract(
        '[[discount]]\nprovider = "openai"\nmodel = "gpt-5.1"\nfactor = "0.0000000001"\n'
        'source = "a slip"\n'
    )
    found = book.row_at("openai", "gpt-5.1", AT)
    assert isinstance(found, Unpriced)
    assert "would round to 0; one sub-unit each is 0.000001" in found.reason
    assert isinstance(book.row_at("openai", "gpt-4o", AT), PriceRow)
