"""Keys of providers and of the webhook, wherever they are."""

from pathlib import Path

import pytest

from tokonomi.configuration.alerts import Alerts
from tokonomi.errors import BadConfig
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.routing.provider import Provider
from tokonomi.storage.location import MasterKeyPlace
from tokonomi.storage.master_keys import MasterKeys, write_key_first


def around(folder: Path, **environ: str) -> Surroundings:
    return Surroundings(environ, folder, MasterKeyPlace("", folder / "master.key"))


def provider(**stated: str) -> Provider:
    return Provider(base_url="https://a", **stated)  # pyright: ignore[reportArgumentType]


def test_the_key_comes_from_the_environment_or_from_a_file_in_the_folder(tmp_path: Path) -> None:
    here = around(tmp_path, A_KEY=" sk-1\n")
    assert here.provider_key("a", provider(api_key_env="A_KEY"), {}) == "sk-1"
    (tmp_path / "a.key").write_text("sk-2\n", encoding="ascii")
    assert here.provider_key("a", provider(api_key_file="a.key"), {}) == "sk-2"
    absolute = provider(api_key_file=str(tmp_path / "a.key"))
    assert around(Path("/elsewhere")).provider_key("a", absolute, {}) == "sk-2"
    assert here.provider_key("a", provider(), {}) == ""


def test_the_key_comes_from_the_secrets_of_the_store(tmp_path: Path) -> None:
    keys = MasterKeys((write_key_first(tmp_path / "master.key"),))
    sealed = {"providers/a": keys.seal("providers/a", "sk-3")}
    stored = Provider(base_url="https://a", api_key_stored=True)
    assert around(tmp_path).provider_key("a", stored, sealed) == "sk-3"
    with pytest.raises(BadConfig, match="tokonomi secrets set providers/b"):
        around(tmp_path).provider_key("b", stored, sealed)


def test_a_key_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"providers\.a: .* A_KEY is not set"):
        around(tmp_path).provider_key("a", provider(api_key_env="A_KEY"), {})
    with pytest.raises(BadConfig, match="cannot be read"):
        around(tmp_path).provider_key("a", provider(api_key_file="none"), {})


def test_what_is_sent_to_the_webhook_is_never_signed_with_nothing(tmp_path: Path) -> None:
    alerts = Alerts(webhook="https://a/b", secret_file="hook.key")
    here = around(tmp_path, HOOK="x")
    (tmp_path / "hook.key").write_text("of the receiver\n", encoding="ascii")
    assert here.signing_secret(alerts, {}) == "of the receiver"
    (tmp_path / "hook.key").write_text("\n", encoding="ascii")
    with pytest.raises(BadConfig, match="is empty"):
        here.signing_secret(alerts, {})
    by_variable = Alerts(webhook="https://a/b", secret_env="HOOK")
    assert here.signing_secret(by_variable, {}) == "x"
    with pytest.raises(BadConfig, match="HOOK is not set"):
        around(tmp_path).signing_secret(by_variable, {})
    keys = MasterKeys((write_key_first(tmp_path / "master.key"),))
    sealed = {"alerts/webhook": keys.seal("alerts/webhook", "stored")}
    stored = Alerts(webhook="https://a/b", secret_stored=True)
    assert here.signing_secret(stored, sealed) == "stored"


def test_a_key_is_not_printed_with_what_is_around_it(tmp_path: Path) -> None:
    assert "sk-1" not in repr(around(tmp_path, A_KEY="sk-1"))
