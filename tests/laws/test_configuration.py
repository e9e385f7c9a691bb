"""Laws of the document: its text states it, its changes lead from one to the other."""

import string

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.configuration.canonical import Reading
from tokonomi.configuration.changes import changes_between
from tokonomi.configuration.document import Document, Item
from tokonomi.configuration.reading import Source, read_document, read_tables
from tokonomi.configuration.toml_text import to_toml

ZONES = ["UTC", "Asia/Jakarta"]
READING = Reading(ZONES)
NOWHERE = Source("generated", {})
NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name.isprintable() and "*" not in name)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
"""A NUL is refused where TOML is read."""
SECONDS = st.integers(1, 9_000) | st.floats(0.001, 9_000, allow_nan=False)
TIMEOUTS = st.fixed_dictionaries({}, optional={"connect": SECONDS, "total": SECONDS})
PROVIDERS = st.fixed_dictionaries(
    {"base_url": st.sampled_from(["https://a/v1", "http://8.8.8.8:9/v1"])},
    optional={
        "price_as": WORDS,
        "api_key_env": WORDS,
        "ca_file": WORDS,
        "timeouts": TIMEOUTS,
        "on_disconnect": st.sampled_from(["cancel", "drain", "estimate"]),
    },
)
BUDGETS = st.fixed_dictionaries(
    {
        "id": st.text(string.ascii_lowercase, min_size=1, max_size=8),
        "window": st.sampled_from(["hour", "day", "week", "month", "lifetime"]),
        "currency": st.sampled_from(["USD", "IDR"]),
        "amount": st.integers(0, 10**6).map(str),
    },
    optional={
        "name": WORDS,
        "zone": st.sampled_from(ZONES),
        "alerts": st.just(["1/3", "80%"]),
        "scope": st.just({"feature": 'a "quoted" one'}),
        "each": st.just(["user"]),
    },
)
RULES = st.fixed_dictionaries(
    {"per": st.sampled_from(["user", "project", "tag:document"])},
    optional={"required": st.booleans(), "weights": st.just({"output": "1/3"})},
)
LIMITS = st.just({"warning": "5%", "critical": "1/3"})
WATCHES = st.fixed_dictionaries(
    {"source": WORDS},
    optional={
        "minimum_calls": st.integers(1, 500),
        "rate": LIMITS,
        "action": st.just([{"cause": "limit", "en": "Call.", "id": "Hubungi."}]),
    },
)
DISCOUNTS = st.fixed_dictionaries(
    {"provider": NAMES, "model": st.just("*"), "off": st.just("12.5%"), "source": WORDS},
    optional={"from": st.dates().map(str), "meters": st.just(["input", "output"])},
)


def targets(providers: list[str]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {"provider": st.sampled_from(providers)},
        optional={
            "model": NAMES,
            "weight": st.integers(1, 9),
            "first_token_seconds": SECONDS,
            "web_search": st.sampled_from([{}, {"engine": "exa"}]),
        },
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    providers = draw(st.dictionaries(NAMES, PROVIDERS, max_size=3))
    tables: dict[str, object] = {"providers": providers}
    if providers:
        chains = st.lists(targets([*providers]), min_size=1, max_size=3)
        models = st.fixed_dictionaries({"targets": chains}, optional={"attempts": st.just(7)})
        tables["models"] = draw(st.dictionaries(NAMES, models, max_size=3))
    tables["budget"] = draw(st.lists(BUDGETS, max_size=3, unique_by=lambda each: str(each["id"])))
    tables["wallet_rule"] = draw(
        st.lists(RULES, max_size=3, unique_by=lambda each: str(each["per"]))
    )
    tables |= draw(st.fixed_dictionaries({}, optional={"fallback_watch": WATCHES}))
    tables["prices"] = {"discount": draw(st.lists(DISCOUNTS, max_size=2))}
    return read_tables(tables, READING, NOWHERE).document


@given(documents())
def test_the_text_of_a_document_states_that_document_and_there_is_one_text(
    document: Document,
) -> None:
    text = to_toml(document)
    again = read_document(text, READING, name="exported")
    assert again == document
    assert to_toml(again) == text


@given(documents(), documents())
def test_the_changes_between_two_documents_lead_from_one_to_the_other(
    old: Document, new: Document
) -> None:
    tables = dict(old.tables)
    for change in changes_between(old, new):
        assert tables.get(change.item) == change.before
        assert change.fields
        tables[change.item] = change.after or {}
    assert Document.of(tables) == new


@given(documents())
def test_nothing_lies_between_a_document_and_itself(document: Document) -> None:
    assert changes_between(document, document) == ()
    assert all(isinstance(item, Item) for item in document.tables)
