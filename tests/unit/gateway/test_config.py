"""tokonomi.toml: what it may say, and what a mistake in it reads like."""

from pathlib import Path

import pytest

from tokonomi.errors import BadConfig
from tokonomi.gateway.config import load, parse, store_of

GOOD = """
[store]
path = "data/tokonomi.db"

[limits]
concurrent = 7
"""


def test_a_file_is_read_with_defaults_for_what_it_leaves_out() -> None:
    config = parse(GOOD)
    assert (config.listen.host, config.listen.port) == ("127.0.0.1", 4000)
    assert (config.limits.concurrent, config.limits.output_tokens) == (7, None)


def test_an_empty_file_is_a_right_one() -> None:
    assert parse("").store.path == "var/tokonomi.db"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[listen]\nport = 'a'", "t.toml:2: listen.port: Expected `int`, got `str`."),
        ("[listen]\nport = 70000", "t.toml:2: listen.port: 70000 is not a port."),
        ("\n[listn]\nport = 1", "t.toml:2: listn: no such section. Did you mean listen?"),
        ("[store]\npth = 'x'", "t.toml:2: store.pth: no such key. Did you mean path?"),
        ("[limits]\nconcurrent = 0", "t.toml:2: limits.concurrent: 0 is not more than 0."),
        ("store = 3", "t.toml:1: store: Expected `object`, got `int`."),
        (
            "[secrets]\nkey_env = 'A'\nkey_file = 'b'",
            "t.toml:1: secrets: names both key_env and key_file. Keep one of them.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(BadConfig) as wrong:
        parse(text, name="t.toml")
    assert str(wrong.value) == f"bad_config: {told}"


@pytest.mark.parametrize("section", ["providers", "models", "prices", "credits", "alerts"])
def test_what_stands_in_the_store_is_refused_here_and_says_how_to_bring_it_there(
    section: str,
) -> None:
    with pytest.raises(BadConfig) as wrong:
        parse(f"[listen]\nport = 1\n[{section}]\n", name="t.toml")
    assert str(wrong.value) == (
        f"bad_config: t.toml:3: {section}: stands in the store, not in this file."
        " Move it to a file of its own, and apply that: tokonomi apply -f FILE."
    )


def test_what_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(BadConfig, match="line 2"):
        parse("[listen]\nport = oops\n")


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tokonomi.toml"
    file.write_text(GOOD, encoding="utf-8")
    config = load(file)
    assert store_of(config, {}) == str(tmp_path / "data" / "tokonomi.db")
    assert config.inside("a.key") == str(tmp_path / "a.key")
    assert config.inside("") == ""


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="--config"):
        load(tmp_path / "nowhere.toml")


def test_the_dsn_comes_from_the_variable_that_the_file_names() -> None:
    config = parse("[store]\ndsn_env = 'DSN'")
    assert store_of(config, {"DSN": "postgresql://h/d"}) == "postgresql://h/d"
    with pytest.raises(BadConfig, match="names DSN, which is not set"):
        store_of(config, {})
