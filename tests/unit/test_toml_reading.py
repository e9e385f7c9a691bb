"""TOML texts that people wrote: what a NUL in one of them is answered."""

import pytest

from tokonomi.errors import BadConfig, BadInput
from tokonomi.toml_reading import MOST_LEVELS, tables_in


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('a = "x\\u0000y"', "mine.toml:1: a:"),
        ('[b]\n\n[b.c]\nd = "\\U00000000"', "mine.toml:4: b.c.d:"),
        ('[[e]]\n[[e]]\nf = "\\u0000"', "mine.toml:3: e[2].f:"),
        ('g = [["h", "\\u0000"]]', "mine.toml:1: g[1][2]:"),
        ('[i]\nj = { "k\\u0000" = 1 }', "mine.toml:2: i.j:"),
        ('l = """\\\\\\u0000"""', "mine.toml:1: l:"),
        ('"m\\u0000" = 1', "mine.toml:"),
    ],
)
def test_a_text_with_a_nul_is_refused_and_its_place_is_named(text: str, where: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        tables_in(text, "mine.toml", error=BadConfig)
    assert refusal.value.what.startswith(where)
    assert "NUL character (U+0000)" in refusal.value.what
    assert "\0" not in str(refusal.value)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    "text", [r"a = '\u0000'", r'a = "\\u0000"', 'a = "x" # \\u0000', r"a = '''\U00000000'''"]
)
def test_what_only_looks_like_a_nul_is_read(text: str) -> None:
    assert "\0" not in str(tables_in(text, "mine.toml")["a"])


def test_what_is_not_toml_is_refused_by_the_name_of_its_text() -> None:
    with pytest.raises(BadInput, match=r"mine\.toml is not TOML: .* \(at line 2"):
        tables_in("a = 1\nb = }\n", "mine.toml")


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * 3000}{']' * 3000}",
        f"a = {'{b = ' * 3000}1{'}' * 3000}",
        f"a = {'[' * 200}{']' * 200}",
        f"{'a.' * 3000}a = 1",
        f"[{'a.' * 3000}a]",
        f"a = {'[' * MOST_LEVELS}1{']' * MOST_LEVELS}",
    ],
    ids=["lists", "tables", "fewer lists", "a dotted key", "a header", "one too many"],
)
def test_what_nests_too_far_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match=r"^bad_config: mine\.toml nests .* more than 32 levels"):
        tables_in(text, "mine.toml", error=BadConfig)


def test_what_nests_as_far_as_is_allowed_is_read() -> None:
    assert tables_in(f"a = {'[' * (MOST_LEVELS - 1)}1{']' * (MOST_LEVELS - 1)}", "mine.toml")


def test_decimals_are_read_as_the_caller_says() -> None:
    assert tables_in("a = 0.10", "mine.toml", decimals=str) == {"a": "0.10"}
