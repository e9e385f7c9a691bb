"""`tokonomi prompt analyse` as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tokonomi.cli import main
from tokonomi.cli.prompt import LIMIT_CROSSED, MOST_BYTES

Typed = Callable[..., tuple[int, str, str]]
PROMPT = """Today is 2026-11-22.
You are a helpful assistant.
You answer the customers of Toko Maju.
"""
DATED = ("--at", "2026-11-22")


@pytest.fixture
def typed(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Typed:
    """Types the command on a file with this content: exit code, what is printed, what is said."""

    def type_command(content: str, *words: str, name: str = "p.md") -> tuple[int, str, str]:
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(SystemExit) as ended:
            main(["prompt", "analyse", str(path), *words])
        out, err = capfdbinary.readouterr()
        return cast("int", ended.value.code), out.decode(), err.decode()

    return type_command


def found(typed: Typed, content: str, *words: str, name: str = "p.md") -> dict[str, Any]:
    code, out, err = typed(content, *words, "--format", "json", name=name)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_table_says_what_a_prompt_consists_of_and_what_could_go(typed: Typed) -> None:
    code, out, err = typed(
        PROMPT, "--model", "openai/gpt-5.1", "--calls-per-month", "1000000", *DATED
    )
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert ["system", "26", "100.0%"] in lines
    assert ["2:1", "model", "default", "6", "$7.50", "You", "are", "a", "helpful"] in [
        line[:9] for line in lines
    ]
    assert "All findings together: 6 of 26 tokens a call (23.1%), $7.50 of $32.50 a month." in out
    assert "Nothing was changed." in out


def test_the_same_amounts_are_told_in_rupiah_and_indonesian(typed: Typed) -> None:
    rate = ("--currency", "IDR", "--rate", "16000", "--rate-date", "2026-01-30", "--locale", "id")
    model = ("--model", "openai/gpt-5.1", "--calls-per-month", "1000000")
    _, out, _ = typed(PROMPT, *model, *rate, *DATED)
    assert "Semua temuan bersama: 6 dari 26 token per panggilan (23,1%), Rp 120.000 dari" in out
    assert "1 USD = 16.000 IDR pada 2026-01-30 (--rate)." in out
    told = found(typed, PROMPT, *model, *rate, *DATED)
    assert told["month"]["saving"] == {"amount": "120000", "currency": "IDR"}


def test_the_model_of_a_recorded_request_prices_it(typed: Typed) -> None:
    request = {"model": "gpt-4o", "messages": [{"role": "system", "content": PROMPT}]}
    told = found(typed, json.dumps(request), "--calls-per-month", "10", *DATED, name="p.json")
    assert told["model"] == "openai/gpt-4o"
    assert told["month"]["price_row"] == "genai-prices-0.2.3:openai/gpt-4o"
    assert told["count"]["exact"] is True


def test_the_users_prices_and_rules_hold(typed: Typed, tmp_path: Path) -> None:
    rules, contract = tmp_path / "rules.toml", tmp_path / "contract.toml"
    rules.write_text(
        '[[instruction]]\nid = "toko"\npatterns = ["you answer the customers of toko maju"]\n'
        'why = { en = "It says so above." }\n'
    )
    contract.write_text(
        '[[discount]]\nprovider = "openai"\nmodel = "*"\noff = "50%"\nsource = "terms"\n'
    )
    own = ("--rules", str(rules), "--contract", str(contract))
    told = found(typed, PROMPT, *own, "--model", "gpt-5.1", "--calls-per-month", "1000000", *DATED)
    assert [each["rule"] for each in told["findings"]] == ["current-date", "assistant-role", "toko"]
    assert told["month"]["cost"] == {"amount": "16.25", "currency": "USD"}


def test_recorded_requests_are_read_a_line_each(typed: Typed) -> None:
    lines = "".join(
        json.dumps({"prompt": f"Now: {time}\nNever promise a delivery date."}) + "\n"
        for time in ("10:01", "10:02")
    )
    told = found(typed, lines, name="calls.jsonl")
    assert [(each["text"], each["differing"]) for each in told["findings"]] == [("10:01", 1)]
    assert len(told["caches"]) == 12


def test_the_minimum_of_the_prompts_model_comes_first_and_others_follow(typed: Typed) -> None:
    told = found(typed, PROMPT, "--model", "claude-sonnet-4-5")["caches"]
    assert len(told) == 12
    assert [each["asked"] for each in told] == [True] + [False] * 11
    assert "Sonnet" in told[0]["models"]


def test_a_model_without_a_known_minimum_is_told_beside_those_that_are_known(typed: Typed) -> None:
    _, out, _ = typed(PROMPT, "--model", "nobody/knows")
    assert "No source states a cache minimum of nobody/knows." in out
    assert "OpenAI gpt-4o to gpt-5.5" in out


def test_the_answer_goes_to_a_file_whole(typed: Typed, tmp_path: Path) -> None:
    target = tmp_path / "prompt.md"
    assert typed(PROMPT, "--format", "markdown", "--output", str(target))[:2] == (0, "")
    assert target.read_text().startswith(f"**{tmp_path}/p.md: 26 tokens a call**\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fail-over-tokens", "25"), "26 tokens are more than --fail-over-tokens 25.\n"),
        (("--fail-over-findings", "1"), "2 findings are more than --fail-over-findings 1.\n"),
    ],
)
def test_a_crossed_limit_exits_with_4_after_everything_is_printed(
    typed: Typed, words: tuple[str, ...], said: str
) -> None:
    code, out, err = typed(PROMPT, *words)
    assert (code, err) == (LIMIT_CROSSED, said)
    assert "Nothing was changed." in out


def test_limits_that_hold_and_findings_with_a_question_mark_fail_nothing(typed: Typed) -> None:
    dated = "Prices of 1 January 2026.\nName the price."
    assert typed(dated, "--fail-over-findings", "0", "--fail-over-tokens", "99")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--calls-per-month", "5"), 2, "--calls-per-month needs a model, and the prompt names"),
        (("--model", "gpt-4o", "--calls-per-month", "-5"), 2, "--calls-per-month -5 is below 0"),
        (("--cache-hits", "90%"), 2, "--cache-hits needs --calls-per-month"),
        (("--read-as", "json"), 1, "p.md:1:1 is not JSON: Expecting value. Mend that place; for"),
        (("--rules", "none.toml"), 1, "the rules none.toml cannot be read"),
        (("--currency", "IDR"), 2, "a conversion needs a currency and a rate"),
    ],
)
def test_what_cannot_be_is_told_with_what_to_do(
    typed: Typed, words: tuple[str, ...], code: int, said: str
) -> None:
    told = typed(PROMPT, *words)
    assert told[:2] == (code, "")
    assert said in told[2]


@pytest.mark.parametrize("share", ["110%", "-1", "half", "1/2", "%"])
def test_a_share_that_is_none_is_told(typed: Typed, share: str) -> None:
    model = ("--model", "gpt-4o", "--calls-per-month", "5")
    code, _, err = typed(PROMPT, *model, f"--cache-hits={share}")
    assert (code, err) == (
        2,
        f"wrong_usage: --cache-hits {share!r} is not a share. Write it like 90%.\n",
    )


def test_a_share_is_a_percentage_or_a_number(typed: Typed) -> None:
    model = ("--model", "gpt-4o", "--calls-per-month", "5", *DATED)
    shares = [
        found(typed, PROMPT, *model, "--cache-hits", text)["month"]["cache_hits"]
        for text in ("92.5%", "0.925")
    ]
    assert shares == ["0.925", "0.925"]


def test_files_that_cannot_be_read_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    with (tmp_path / "huge.md").open("wb") as huge:
        huge.truncate(MOST_BYTES + 1)
    said = {
        "none.md": "cannot be read: No such file or directory. Check the path.",
        ".": "cannot be read: Is a directory. Check the path.",
        "latin.md": "latin.md is not UTF-8: byte 3 is 0xe9. Save it as UTF-8.",
        "huge.md": "huge.md has more than 67,108,864 bytes. Give some of its requests.",
    }
    for name, sentence in said.items():
        with pytest.raises(SystemExit) as ended:
            main(["prompt", "analyse", str(tmp_path / name)])
        told = capfd.readouterr()
        assert (ended.value.code, told.out) == (1, "")
        assert told.err.startswith("bad_input: ")
        assert told.err.endswith(f"{sentence}\n")
