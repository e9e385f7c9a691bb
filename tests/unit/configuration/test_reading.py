"""The document: what it may say, and what a mistake in it reads like."""

from datetime import UTC, datetime

import pytest

from tokonomi.configuration.canonical import Reading
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.configuration.fallback_watch import Limits
from tokonomi.configuration.reading import read_document, read_texts
from tokonomi.configuration.toml_text import to_toml
from tokonomi.errors import BadConfig
from tokonomi.routing.alias import Alias, Target
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.provider import Provider, Timeouts

READING = Reading({"UTC", "Asia/Jakarta"})
GOOD = """
[providers.openai]
base_url = "https://api.openai.com/v1"
api_key_env = "OPENAI_API_KEY"

[providers.openai.timeouts]
first_byte = 30

[models."gpt-4o-mini"]
provider = "openai"
"""
A = "[providers.a]\nbase_url = 'https://a'\n"


def read(text: str) -> Document:
    return read_document(text, READING, name="t.toml")


def test_a_document_is_read_with_defaults_for_what_it_leaves_out() -> None:
    document = read(GOOD)
    assert document.providers == {
        "openai": Provider(
            base_url="https://api.openai.com/v1",
            api_key_env="OPENAI_API_KEY",
            timeouts=Timeouts(first_byte=30.0),
        )
    }
    assert document.models == {"gpt-4o-mini": Alias(targets=(Target(provider="openai"),))}
    assert (document.alerts.webhook, document.offer, document.contract.discounts) == ("", None, ())


def test_an_empty_document_is_a_right_one() -> None:
    assert read("") == Document()


def test_the_short_form_and_a_chain_of_one_are_the_same_document() -> None:
    short = read(f"{A}[models.m]\nprovider = 'a'\nmodel = 'x'\nattempts = 2")
    chain = read(f"{A}[models.m]\nattempts = 2\n[[models.m.targets]]\nprovider = 'a'\nmodel = 'x'")
    assert short == chain
    assert short.tables[Item(Kind.MODEL, "m")] == {"provider": "a", "model": "x", "attempts": 2}


def test_thresholds_of_fallback_are_read_and_only_what_is_stated_is_kept() -> None:
    document = read("""
        [fallback_watch]
        source = "ours"
        rate = { warning = "2%", critical = "1/3" }
        [[fallback_watch.action]]
        cause = "limit"
        en = "Call us."
        id = "Hubungi kami."
    """)
    watch = document.fallback_watch
    assert watch is not None
    assert (watch.rate, watch.minimum_calls) == (Limits(warning="2%", critical="1/3"), None)
    assert document.tables[Item(Kind.FALLBACK_WATCH)] == {
        "source": "ours",
        "rate": {"warning": "2%", "critical": "1/3"},
        "action": [{"cause": "limit", "en": "Call us.", "id": "Hubungi kami."}],
    }
    assert read(to_toml(document)) == document
    assert read("").fallback_watch is None


def test_own_packages_are_on_sale_the_smallest_first() -> None:
    document = read("""
        [credit]
        tokens = 10
        [[package]]
        id = "large"
        name = "Large"
        credits = 100
        price = "10"
        currency = "USD"
        source = "us"
        [[package]]
        id = "small"
        name = "Small"
        credits = 9
        price = "1"
        currency = "USD"
        source = "us"
    """)
    assert document.offer is not None
    assert [package.id for package in document.offer.packages] == ["small", "large"]
    assert document.offer.weights.tokens_per_credit == 10


def test_several_texts_state_one_document_and_an_item_once() -> None:
    stated = read_texts({"a.toml": A, "m.toml": "[models.m]\nprovider = 'a'"}, READING)
    assert [str(item) for item in stated.document.tables] == ["providers.a", "models.m"]
    with pytest.raises(BadConfig) as twice:
        read_texts({"a.toml": A, "b.toml": A}, READING)
    assert str(twice.value) == (
        "bad_config: providers.a stands in a.toml and in b.toml. Keep one of them."
    )


WHOLE = """[breaker]
minimum_calls = 3
open_seconds = 2.5

[alerts]
webhook = "https://hooks.example.com/a"
secret_stored = true

[providers.a]
base_url = "https://a/v1"
api_key_stored = true

[models."a/*"]
provider = "a"

[[prices.model]]
provider = "a"
id = "big"
source = "us"
context_window = 1000

[[prices.model.price]]
source = "us"
rates = { input = "1.5", output = "2" }
from = "2026-01-01"
to = "2026-02-01T07:00:00+00:00"
windows = [{ to = "08:00", closed = "holidays" }]

[[prices.model.price.above]]
threshold = 100
comparator = ">"
rates = { input = "3" }

[fallback_watch]
source = "us"
currency = "USD"
day_cost = { warning = "6", critical = "31.25" }

[prices.calendar.holidays]
source = "us"
days = ["2026-01-01"]

[[rate]]
base = "USD"
quote = "IDR"
rate = "16712.5"
on = "2026-01-30"
source = "a bank"

[credit]
tokens = 10

[[package]]
id = "small"
name = "Small"
credits = 9
price = "1"
currency = "USD"
source = "us"
"""


def test_a_document_of_every_kind_is_written_as_it_was_read() -> None:
    document = read(WHOLE)
    assert read(to_toml(document)) == document
    assert {item.kind for item in document.tables} == {*Kind} - {Kind.BUDGET, Kind.WALLET_RULE}
    [price] = document.contract.listings["a", "big"].rows
    assert price.valid_to == datetime(2026, 2, 1, 7, tzinfo=UTC)
    assert document.alerts.secret_stored
    assert document.breaker == BreakerRules(minimum_calls=3, open_seconds=2.5)


def test_alerts_without_a_webhook_need_no_secret() -> None:
    assert read("[alerts]\nsecret_env = 'A'").alerts.secret_env == "A"


ALERTS = "t.toml:2: alerts.webhook: {} is not an address to send to."
SECRETS = (
    "Set one of secret_env, secret_file and secret_stored, so that the receiver can tell who sent"
    " it."
)
PRIVATE = (
    "is an address of a private network or of this host. Set allow_private = true beside it if it"
    " is yours"
)
KEY = "A key does not belong in the file: set api_key_env, api_key_file or api_key_stored."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[alerts]\nwebhook = 'ftp://a/b'",
            ALERTS.format("'ftp://a/b'") + " Write it like https://hooks.example.com/tokonomi.",
        ),
        (
            "[alerts]\nwebhook = 'https://a/b c'",
            ALERTS.format("'https://a/b c'") + " Write it like https://hooks.example.com/tokonomi.",
        ),
        (
            "[alerts]\nwebhook = 'https://me:pass@a/b'",
            "t.toml:2: alerts.webhook: holds a secret. Check the signature instead.",
        ),
        (
            "[alerts]\nsecret_env = 'A'\nwebhook = 'http://localhost:9/hook'",
            f"t.toml:3: alerts.webhook: localhost {PRIVATE}, such as a receiver on this host.",
        ),
        (
            "[providers.a]\nbase_url = 'http://[::1]:8080/v1'",
            f"t.toml:2: providers.a.base_url: ::1 {PRIVATE}, such as a local model.",
        ),
        (
            "[alerts]\nwebhook = 'https://a/b'",
            f"t.toml:1: alerts: names no secret. {SECRETS}",
        ),
        (
            "[alerts]\nwebhook = 'https://a/b'\nsecret_env = 'A'\nsecret_file = 'b'",
            f"t.toml:1: alerts: names more than one secret. {SECRETS}",
        ),
        (
            "[fallback_watch]\nsource = 'a'\nrate = { warning = '9%', critical = '5%' }",
            (
                "t.toml:1: fallback_watch: rate is critical at 5%, before it warns at 9%."
                " Make critical the higher one."
            ),
        ),
        ("[alrts]\nx = 1", "t.toml:1: alrts: no such section. Did you mean alerts?"),
        (
            "[listen]\nport = 1",
            "t.toml:1: listen: does not stand in the store. Move it to tokonomi.toml.",
        ),
        (
            f"{A}[providers.a.timeouts]\nconect = 3",
            "t.toml:4: providers.a.timeouts.conect: no such key. Did you mean connect?",
        ),
        (f"{A}api_key = 'sk-secret'", f"t.toml:3: providers.a.api_key: no such key. {KEY}"),
        (
            "[models.x]\nprovder = 'a'",
            "t.toml:2: models.x.provder: no such key. Did you mean provider?",
        ),
        (
            "[models.x]\nprovider = 'a'\nprice_as = 'openai'",
            (
                "t.toml:3: models.x.price_as: no such key."
                " Known are provider, model, targets, choose, attempts, deadline_seconds, resume."
            ),
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\nweigt = 1",
            "t.toml:4: models.x.targets[1].weigt: no such key. Did you mean weight?",
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\ntimeouts = { totl = 1 }",
            "t.toml:4: models.x.targets[1].timeouts.totl: no such key. Did you mean total?",
        ),
        (
            "[providers.a]\nprice_as = 'a'",
            "t.toml:1: providers.a: Object missing required field `base_url`.",
        ),
        (
            "[providers.a]\nbase_url = 'api.openai.com'",
            (
                "t.toml:2: providers.a.base_url: 'api.openai.com' is not the address of an API."
                " Write it like https://api.openai.com/v1."
            ),
        ),
        (
            "[providers.a]\nbase_url = 'http://a:70000/v1'",
            (
                "t.toml:2: providers.a.base_url: 'http://a:70000/v1' is not the address of an API."
                " Write it like https://api.openai.com/v1."
            ),
        ),
        (
            "[providers.a]\nbase_url = 'https://me:secret@a/v1'",
            "t.toml:2: providers.a.base_url: holds a secret. Set api_key_env instead.",
        ),
        (
            f"{A}api_key_env = 'A'\napi_key_stored = true",
            "t.toml:1: providers.a: names both api_key_env and api_key_stored. Keep one of them.",
        ),
        (
            f"{A}timeouts = {{ total = 0 }}",
            "t.toml:3: providers.a.timeouts.total: 0.0 is not more than 0.",
        ),
        (
            "[providers.openai]\nbase_url = 'https://a'\n[models.'x']\nprovider = 'opnai'",
            "t.toml:4: models.x.provider: no provider 'opnai'. Did you mean openai?",
        ),
        (
            f"{A}[[models.x.targets]]\nprovider = 'a'\n[[models.x.targets]]\nprovider = 'b'",
            "t.toml:6: models.x.targets[2].provider: no provider 'b'. Known are a.",
        ),
        (
            "[models.x]\nprovider = 'a'",
            "t.toml:2: models.x.provider: no provider 'a'. Add a [providers.NAME] section.",
        ),
        (
            f"{A}[models.'a*b']\nprovider = 'a'",
            "t.toml:3: models.a*b: a star stands only at the end of an alias.",
        ),
        (
            f"{A}[models.x]\nprovider = 'a'\nmodel = 'a*'",
            "t.toml:5: models.x.model: a model's name has no star. Leave it out.",
        ),
        (
            f"{A}[models.'a*']\nprovider = 'a'\nmodel = 'm'",
            (
                "t.toml:5: models.a*.model: an alias with a star has no model of its own."
                " Leave it out."
            ),
        ),
        (
            f"{A}[models.x]\nprovider = 'a'\ntargets = []",
            (
                "t.toml:5: models.x.targets: stands beside a provider of its own."
                " Write it as one of the targets."
            ),
        ),
        (
            "[models.x]\ntargets = []",
            "t.toml:2: models.x.targets: is empty. Name a provider, or a list of targets.",
        ),
        ("[breaker]\nfailure_share = 1.5", "t.toml:2: breaker.failure_share: 1.5 is more than 1."),
        ("[breaker]\nminimum_calls = 0", "t.toml:2: breaker.minimum_calls: 0 is not more than 0."),
        (
            "[breaker]\nlongest_open_seconds = 5",
            (
                "t.toml:2: breaker.longest_open_seconds: 5 is less than open_seconds, 15."
                " Make it as long, or longer."
            ),
        ),
        (
            "[models.x]\nchoose = 'weighted'\ntargets = [{provider = 'a', weight = 0}]",
            "t.toml:3: models.x.targets: no target has a weight above 0. Give one a weight.",
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\nweight = -1",
            "t.toml:4: models.x.targets[1].weight: -1 is less than 0.",
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\nfirst_token_seconds = 0",
            "t.toml:4: models.x.targets[1].first_token_seconds: 0.0 is not more than 0.",
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\nweb_search = { max_results = 0 }",
            "t.toml:4: models.x.targets[1].web_search.max_results: 0 is not more than 0.",
        ),
        (
            "[models.x]\n[[models.x.targets]]\nprovider = 'a'\ntimeouts = { total = -1 }",
            "t.toml:4: models.x.targets[1].timeouts.total: -1.0 is not more than 0.",
        ),
        ("[providers]\nx = 1", "t.toml:2: providers.x: is not a table."),
        ("models = 3", "t.toml:1: models: is not a table of named sections."),
        (
            "[budget]\nid = 'a'",
            "t.toml:1: budget: is not a list of tables. Write each as [[budget]].",
        ),
        (
            "[models.'']\nprovider = 'a'",
            "t.toml:1: models.: cannot be a name. Use 1 to 200 that print.",
        ),
        (
            "[[budget]]\nid = 'a'\nwindow = 'month'\ncurrency = 'USD'\nzone = 'Asia/Jakrta'",
            (
                't.toml:1: budget[1]: budget a: no time zone is called "Asia/Jakrta".'
                ' Did you mean "Asia/Jakarta"?'
            ),
        ),
        (
            "[[wallet_rule]]\nper = 'user'\n[[wallet_rule]]\nper = 'user'",
            "t.toml:3: wallet_rule[2]: wallet_rule user stands here twice. Keep one of them.",
        ),
        (
            "[[rate]]\nbase = 'USD'\nquote = 'IDR'\nrate = '0'\non = 2026-01-30\nsource = 'x'",
            (
                "t.toml:1: rate[1]: 1 USD = 0 IDR is no exchange rate."
                " Name two currencies and a number above 0, as USD IDR 16000."
            ),
        ),
        (
            "[[rate]]\nbase = 'USD'\nquote = 'IDR'\nrate = 16000\non = 2026-01-30\nsource = 'x'",
            "t.toml:4: rate[1].rate: Expected `str`, got `int`.",
        ),
        (
            "[[prices.discount]]\nprovider = 'a'\nmodel = '*'\nsource = 'x'\nto = 'soon'",
            "t.toml:5: prices.discount[1].to: Expected a date such as 2026-10-12, got 'soon'.",
        ),
        (
            "[[prices.discount]]\nprovider = 'a'\nmodel = '*'\noff = '5'\nsource = 'x'",
            (
                "t.toml:1: prices: prices, discount on a/*: off '5' and factor '' do not state one"
                ' discount. Write off = "12.5%" or factor = "0.875". A free model is a price of'
                ' "0".'
            ),
        ),
        (
            "[credit]\nweights = { outpt = 1 }",
            't.toml:1: credit: no class of tokens is called "outpt". Did you mean "output"?',
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(BadConfig) as wrong:
        read(text)
    assert str(wrong.value) == f"bad_config: {told}"
    assert "secret@" not in str(wrong.value)
    assert "sk-secret" not in str(wrong.value)


def test_what_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(BadConfig, match="line 2"):
        read("[alerts]\nwebhook = oops\n")


def test_an_item_that_no_text_states_is_told_by_its_name() -> None:
    stated = read_texts({"a.toml": A}, READING)
    whole = Document.of({Item(Kind.MODEL, "m"): {"provider": "b"}, **stated.document.tables})
    with pytest.raises(BadConfig) as wrong:
        stated.check(whole)
    told = "bad_config: models.m.provider: no provider 'b'. Known are a."
    assert str(wrong.value) == told
