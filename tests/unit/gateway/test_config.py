"""tokonomi.toml: what it may say, and what a mistake in it reads like."""

from pathlib import Path

import pytest

from tokonomi.errors import BadConfig
from tokonomi.gateway.config import (
    Alerts,
    Model,
    load,
    parse,
    secret_of,
    signing_secret_of,
)
from tokonomi.routing.provider import Provider, Timeouts

GOOD = """
[store]
path = "data/tokonomi.db"

[providers.openai]
base_url = "https://api.openai.com/v1"
api_key_env = "OPENAI_API_KEY"

[providers.openai.timeouts]
first_byte = 30

[models."gpt-4o-mini"]
provider = "openai"
"""


def test_a_file_is_read_with_defaults_for_what_it_leaves_out() -> None:
    config = parse(GOOD)
    assert (config.listen.host, config.listen.port) == ("127.0.0.1", 4000)
    assert config.providers == {
        "openai": Provider(
            base_url="https://api.openai.com/v1",
            api_key_env="OPENAI_API_KEY",
            timeouts=Timeouts(first_byte=30.0),
        )
    }
    assert config.models == {"gpt-4o-mini": Model(provider="openai")}


def test_an_empty_file_is_a_right_one() -> None:
    assert parse("").models == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[alerts]\nwebhook = 'ftp://a/b'",
            (
                "t.toml:2: alerts.webhook: 'ftp://a/b' is not an address to send to."
                " Write it like https://hooks.example.com/tokonomi."
            ),
        ),
        (
            "[alerts]\nwebhook = 'https://a/b c'",
            (
                "t.toml:2: alerts.webhook: 'https://a/b c' is not an address to send to."
                " Write it like https://hooks.example.com/tokonomi."
            ),
        ),
        (
            "[alerts]\nwebhook = 'https://me:pass@a/b'",
            "t.toml:2: alerts.webhook: holds a secret. Check the signature instead.",
        ),
        (
            "[alerts]\nwebhook = 'https://a/b'",
            (
                "t.toml:1: alerts: names no secret. Set secret_env or secret_file, so that the"
                " receiver can tell who sent it."
            ),
        ),
        (
            "[alerts]\nwebhook = 'https://a/b'\nsecret_env = 'A'\nsecret_file = 'b'",
            (
                "t.toml:1: alerts: names both secret_env and secret_file. Set secret_env or"
                " secret_file, so that the receiver can tell who sent it."
            ),
        ),
        ("[listen]\nport = 'a'", "t.toml:2: listen.port: Expected `int`, got `str`."),
        ("[listen]\nport = 70000", "t.toml:2: listen.port: 70000 is not a port."),
        ("\n[listn]\nport = 1", "t.toml:2: listn: no such section. Did you mean listen?"),
        (
            "[store]\npth = 'x'",
            "t.toml:2: store.pth: no such key. Did you mean path?",
        ),
        (
            "[providers.a]\nbase_url = 'https://a/v1'\n[providers.a.timeouts]\nconect = 3",
            "t.toml:4: providers.a.timeouts.conect: no such key. Did you mean connect?",
        ),
        (
            "[providers.a]\nbase_url = 'https://a/v1'\napi_key = 'sk-secret'",
            (
                "t.toml:3: providers.a.api_key: no such key. A key does not belong in the file:"
                " set api_key_env or api_key_file."
            ),
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
            "[providers.a]\nbase_url = 'https://me:secret@a/v1'",
            "t.toml:2: providers.a.base_url: holds a secret. Set api_key_env instead.",
        ),
        (
            "[providers.a]\nbase_url = 'https://a'\napi_key_env = 'A'\napi_key_file = 'b'",
            "t.toml:1: providers.a: names both api_key_env and api_key_file. Keep one of them.",
        ),
        (
            "[providers.openai]\nbase_url = 'https://a'\n[models.'x']\nprovider = 'opnai'",
            "t.toml:4: models.x.provider: no provider 'opnai'. Did you mean openai?",
        ),
        (
            "[models.x]\nprovider = 'a'",
            "t.toml:2: models.x.provider: no provider 'a'. Add a [providers.NAME] section.",
        ),
        (
            "[providers.a]\nbase_url = 'https://a'\n[models.'a*b']\nprovider = 'a'",
            "t.toml:3: models.a*b: a star stands only at the end of an alias.",
        ),
        (
            "[providers.a]\nbase_url = 'https://a'\n[models.'a*']\nprovider = 'a'\nmodel = 'm'",
            (
                "t.toml:5: models.a*.model: an alias with a star has no model of its own."
                " Leave it out."
            ),
        ),
        ("[limits]\nconcurrent = 0", "t.toml:2: limits.concurrent: 0 is not more than 0."),
        ("[providers]\nx = 1", "t.toml:2: providers.x: Expected `object`, got `int`."),
        ("models = 3", "t.toml:1: models: is not a table of named sections."),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(BadConfig) as wrong:
        parse(text, name="t.toml")
    assert str(wrong.value) == f"bad_config: {told}"
    assert "secret@" not in str(wrong.value)
    assert "sk-secret" not in str(wrong.value)


def test_what_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(BadConfig, match="line 2"):
        parse("[listen]\nport = oops\n")


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tokonomi.toml"
    keyed = GOOD.replace('api_key_env = "OPENAI_API_KEY"', 'api_key_file = "openai.key"')
    file.write_text(
        f'{keyed}\n[prices]\ncontract = "ours.toml"\n[credits]\npackages = "p.toml"\n'
        '[alerts]\nwebhook = "https://a/b"\nsecret_file = "hook.key"\n',
        encoding="utf-8",
    )
    config = load(file)
    assert config.store.path == str(tmp_path / "data" / "tokonomi.db")
    assert config.prices.contract == str(tmp_path / "ours.toml")
    assert config.credits.packages == str(tmp_path / "p.toml")
    assert config.alerts.secret_file == str(tmp_path / "hook.key")
    assert config.providers["openai"].api_key_file == str(tmp_path / "openai.key")
    assert config.providers["openai"].ca_file == ""


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="--config"):
        load(tmp_path / "nowhere.toml")


def test_the_secret_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    by_variable = Provider(base_url="https://a", api_key_env="A_KEY")
    assert secret_of("a", by_variable, {"A_KEY": " sk-1\n"}) == "sk-1"
    file = tmp_path / "a.key"
    file.write_text("sk-2\n", encoding="ascii")
    assert secret_of("a", Provider(base_url="https://a", api_key_file=str(file)), {}) == "sk-2"
    assert secret_of("a", Provider(base_url="https://a"), {}) == ""


def test_a_secret_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="A_KEY is not set"):
        secret_of("a", Provider(base_url="https://a", api_key_env="A_KEY"), {})
    absent = Provider(base_url="https://a", api_key_file=str(tmp_path / "none"))
    with pytest.raises(BadConfig, match="cannot be read"):
        secret_of("a", absent, {})


def test_what_is_sent_to_the_webhook_is_never_signed_with_nothing(tmp_path: Path) -> None:
    file = tmp_path / "hook.key"
    alerts = Alerts(webhook="https://a/b", secret_file=str(file))
    file.write_text("of the receiver\n", encoding="ascii")
    assert signing_secret_of(alerts, {}) == "of the receiver"
    file.write_text("\n", encoding="ascii")
    with pytest.raises(BadConfig, match="is empty"):
        signing_secret_of(alerts, {})
    by_variable = Alerts(webhook="https://a/b", secret_env="HOOK")
    assert signing_secret_of(by_variable, {"HOOK": "x"}) == "x"
    with pytest.raises(BadConfig, match="HOOK is not set"):
        signing_secret_of(by_variable, {})
